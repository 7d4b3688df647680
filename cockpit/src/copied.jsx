import cockpit from "cockpit";

import { ClipboardCopy, ClipboardCopyButton } from "@patternfly/react-core/dist/esm/components/ClipboardCopy/index.js";
import { CodeBlock, CodeBlockAction, CodeBlockCode } from "@patternfly/react-core/dist/esm/components/CodeBlock/index.js";
import { useState } from "react";

const _ = cockpit.gettext;

// Without HTTPS, a page has no clipboard to write to but that of its selection.
function copy(text) {
    if (navigator.clipboard)
        return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    return Promise.resolve();
}

// A command, with a button that copies it.
export function Command({ text, label }) {
    return (
        <ClipboardCopy isReadOnly isCode hoverTip={_("Copy")} clickTip={_("Copied")} textAriaLabel={label}
            copyAriaLabel={cockpit.format(_("Copy: $0"), text)} onCopy={() => copy(text)}>
            {text}
        </ClipboardCopy>
    );
}

// A text of several lines, with a button that copies it.
export function Copied({ text, label }) {
    const [isDone, setIsDone] = useState(false);
    const button = (
        <ClipboardCopyButton variant="plain" id={`copy-${label}`} textId={`text-${label}`} exitDelay={1500}
            aria-label={cockpit.format(_("Copy: $0"), label)} onClick={() => copy(text).then(() => setIsDone(true))}
            onTooltipHidden={() => setIsDone(false)}>
            {isDone ? _("Copied") : _("Copy")}
        </ClipboardCopyButton>
    );
    return (
        <CodeBlock actions={<CodeBlockAction>{button}</CodeBlockAction>}>
            <CodeBlockCode id={`text-${label}`}>{text}</CodeBlockCode>
        </CodeBlock>
    );
}
