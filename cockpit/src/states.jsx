// The states of lines and gates: their words, colours and icons.
import cockpit from "cockpit";

import { Label } from "@patternfly/react-core/dist/esm/components/Label/index.js";
import CheckCircleIcon from "@patternfly/react-icons/dist/esm/icons/check-circle-icon.js";
import ClockIcon from "@patternfly/react-icons/dist/esm/icons/clock-icon.js";
import ExclamationCircleIcon from "@patternfly/react-icons/dist/esm/icons/exclamation-circle-icon.js";
import ExclamationTriangleIcon from "@patternfly/react-icons/dist/esm/icons/exclamation-triangle-icon.js";
import QuestionCircleIcon from "@patternfly/react-icons/dist/esm/icons/question-circle-icon.js";

import { visible } from "./text.jsx";

const _ = cockpit.gettext;

const STATES = {
    routed: { word: _("routed"), status: "success", Icon: CheckCircleIcon },
    forwarded: { word: _("forwarded"), status: "success", Icon: CheckCircleIcon },
    unknown: { word: _("unknown"), color: "grey", Icon: QuestionCircleIcon },
    waiting: { word: _("waiting"), status: "info", Icon: ClockIcon },
    "not applied": { word: _("not applied"), status: "warning", Icon: ExclamationTriangleIcon },
    blocked: { word: _("blocked"), status: "danger", Icon: ExclamationCircleIcon },
};
// What is wrong comes first, as in `nethook status`.
const BY_URGENCY = ["blocked", "not applied", "waiting", "unknown"];

export function isGood(line) {
    return line.state === "routed" || line.state === "forwarded";
}

export function byUrgency(lines) {
    const rank = (line) => isGood(line) ? BY_URGENCY.length + !line.reason : BY_URGENCY.indexOf(line.state);
    return [...lines].sort((one, other) => rank(one) - rank(other));
}

export function State({ line }) {
    const { word, status, color, Icon } = STATES[line.state] ?? { word: line.state, color: "grey", Icon: QuestionCircleIcon };
    return (
        <>
            <Label variant="outline" status={status} color={color} icon={<Icon />}>{word}</Label>
            {line.reason && <div className="nethook-reason">{visible(line.reason)}</div>}
        </>
    );
}

export function Gates({ gates }) {
    return (
        <div className="nethook-gates">
            <span id="gates-title">{_("Gates in other firewalls")}</span>
            <ul aria-labelledby="gates-title">
                {gates.map(({ where, state }) => {
                    const isFine = state === "open" || state === "not needed";
                    const word = { open: _("open"), "not needed": _("not needed") }[state] ?? state;
                    return (
                        <li key={where}>
                            <Label isCompact color={state === "not needed" ? "grey" : undefined}
                                status={state === "open" ? "success" : isFine ? undefined : "danger"}>
                                {where}: {word}
                            </Label>
                        </li>
                    );
                })}
            </ul>
        </div>
    );
}
