// What there is to know of all lines: one sentence, and what is wrong beside lines.
import cockpit from "cockpit";

import { Alert, AlertActionLink } from "@patternfly/react-core/dist/esm/components/Alert/index.js";
import { Icon } from "@patternfly/react-core/dist/esm/components/Icon/index.js";
import { Title } from "@patternfly/react-core/dist/esm/components/Title/index.js";
import CheckCircleIcon from "@patternfly/react-icons/dist/esm/icons/check-circle-icon.js";
import ExclamationCircleIcon from "@patternfly/react-icons/dist/esm/icons/exclamation-circle-icon.js";
import ExclamationTriangleIcon from "@patternfly/react-icons/dist/esm/icons/exclamation-triangle-icon.js";
import InfoCircleIcon from "@patternfly/react-icons/dist/esm/icons/info-circle-icon.js";

import { Gates } from "./states.jsx";
import { place, visible } from "./text.jsx";

const _ = cockpit.gettext;
const ngettext = cockpit.ngettext;

const ICONS = {
    success: CheckCircleIcon,
    info: InfoCircleIcon,
    warning: ExclamationTriangleIcon,
    danger: ExclamationCircleIcon,
};

// Return the sentence, and how serious it is.
function verdict({ summary, is_well: isWell }) {
    const of = (state) => (summary.lines[state] ?? 0) + (summary.forwards[state] ?? 0);
    const total = [...Object.values(summary.lines), ...Object.values(summary.forwards)].reduce((one, more) => one + more, 0);
    const format = (text, ...numbers) => cockpit.format(text, ...numbers);
    const blocked = ngettext("$0 of $1 lines is blocked", "$0 of $1 lines are blocked", of("blocked"));
    const lacking = ngettext("$0 of $1 lines is not in force", "$0 of $1 lines are not in force", of("not applied"));
    const waiting = ngettext("$0 of $1 lines in force, $2 waits for its guest or network", "$0 of $1 lines in force, $2 wait for their guests or networks", of("waiting"));
    const good = ngettext("All is well: $0 line is in force", "All is well: all $0 lines are in force", total);
    const hidden = ngettext("$0 line; administrators see more", "$0 lines; administrators see more", total);
    if (of("blocked"))
        return ["danger", format(blocked, of("blocked"), total)];
    if (of("not applied"))
        return ["warning", format(lacking, of("not applied"), total)];
    if (!isWell)
        return ["warning", _("Something else needs your attention")];
    if (of("unknown"))
        return ["info", format(hidden, total)];
    if (of("waiting"))
        return ["info", format(waiting, of("routed") + of("forwarded"), total, of("waiting"))];
    if (total === 0)
        return ["info", _("No addresses and no ports lead to guests yet")];
    return ["success", format(good, total)];
}

// Mistakes, and what else is wrong beside lines. `onApply` puts the files in force, null if the user may not.
function Troubles({ status, onApply }) {
    const told = new Set([...status.lines, ...status.forwards].map((line) => line.reason));
    const notes = [...status.notes.map((note) => note.text).filter((text) => !told.has(text)), ...status.ignored];
    const isPending = status.changes.length > 0 || status.files_differ;
    return (
        <div className="nethook-troubles">
            {status.problems.length > 0 &&
                <Alert isInline variant="danger" title={_("Mistakes in the files")}>
                    <ul>
                        {status.problems.map((problem, at) => (
                            <li key={at}>{visible(`${place(problem)}: ${problem.what}; ${problem.advice}`)}</li>
                        ))}
                    </ul>
                </Alert>}
            {isPending &&
                <Alert isInline variant="warning" title={_("Not everything in the files is in force")}
                    actionLinks={onApply && <AlertActionLink onClick={onApply}>{_("Show the changes")}</AlertActionLink>} />}
            {status.hidden && <Alert isInline variant="warning" title={visible(status.hidden)} />}
            {notes.map((text) => <Alert isInline key={text} variant="warning" title={visible(text)} />)}
        </div>
    );
}

export function Summary({ status, onApply }) {
    const [kind, sentence] = verdict(status);
    const Shape = ICONS[kind];
    return (
        <>
            <div className="nethook-verdict" id="verdict" role="status" data-kind={kind}>
                <Icon size="lg" status={kind}><Shape /></Icon>
                <Title headingLevel="h1" size="xl">{sentence}</Title>
            </div>
            {status.gates.length > 0 && <Gates gates={status.gates} />}
            <Troubles status={status} onApply={onApply} />
        </>
    );
}
