import cockpit from "cockpit";

import { SAMPLES } from "./rates.js";

const _ = cockpit.gettext;

const WIDTH = 60;
const HEIGHT = 20;

// Return the points of a line that ends at the right edge; what is not known is not drawn.
function points(rates, most) {
    const step = WIDTH / (SAMPLES - 1);
    const begin = WIDTH - step * (rates.length - 1);
    return rates.flatMap((rate, at) => rate === null ? [] : [[begin + at * step, HEIGHT - 1 - (HEIGHT - 2) * rate / most]])
            .map((pair) => pair.map((number) => number.toFixed(1)).join(",")).join(" ");
}

function shown(rates) {
    const rate = rates?.at(-1) ?? null;
    return rate === null ? "–" : cockpit.format_bytes_per_sec(Math.round(rate));
}

// The traffic of a line: rates now, and a graph of the last minute.
export function Traffic({ rates, isBoth }) {
    const most = Math.max(1, ...(rates?.received ?? []), ...(rates?.sent ?? []));
    const label = isBoth
        ? cockpit.format(_("$0 in both directions"), shown(rates?.received))
        : cockpit.format(_("$0 in, $1 out"), shown(rates?.received), shown(rates?.sent));
    return (
        <div className="nethook-traffic">
            <svg className="nethook-graph" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} role="img"
                aria-label={label}>
                <polyline className="nethook-graph-received" points={points(rates?.received ?? [], most)} />
                {!isBoth && <polyline className="nethook-graph-sent" points={points(rates?.sent ?? [], most)} />}
            </svg>
            <span className="nethook-rates">
                <span className="nethook-received">{isBoth ? "↕" : "↓"} {shown(rates?.received)}</span>
                {!isBoth && <span className="nethook-sent">↑ {shown(rates?.sent)}</span>}
            </span>
        </div>
    );
}
