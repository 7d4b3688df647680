// What nethook did when and why, from the journal.
import cockpit from "cockpit";
import { useEffect, useState } from "react";

import { Alert } from "@patternfly/react-core/dist/esm/components/Alert/index.js";
import { Button } from "@patternfly/react-core/dist/esm/components/Button/index.js";
import { Card, CardBody, CardExpandableContent, CardHeader, CardTitle } from "@patternfly/react-core/dist/esm/components/Card/index.js";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table/dist/esm/components/Table/index.js";

import { Waiting } from "./plan.jsx";
import { history } from "./program.js";
import { visible } from "./text.jsx";

const _ = cockpit.gettext;

const FEW = 20;
// Entries of one run: for the same reason, and within this time.
const TOGETHER_MS = 2000;

// Return the entries as runs: time, why, and the entries of each, the earliest first.
function runs(entries) {
    const found = [];
    for (const entry of entries) {
        const last = found.at(-1);
        if (last && last.why === entry.why && last.entries[0].time - entry.time < TOGETHER_MS)
            last.entries.unshift(entry);
        else
            found.push({ key: entry.key, time: entry.time, why: entry.why, entries: [entry] });
    }
    return found;
}

const when = new Intl.DateTimeFormat(cockpit.language?.replace("_", "-") || undefined, { dateStyle: "medium", timeStyle: "medium" });

export function History() {
    const [isOpen, setIsOpen] = useState(false);
    const [entries, setEntries] = useState(null);
    const [failure, setFailure] = useState("");
    const [most, setMost] = useState(FEW);

    function read() {
        setFailure("");
        history().then(setEntries, (error) => setFailure(error.message));
    }
    useEffect(() => {
        if (isOpen)
            read();
    }, [isOpen]);

    const found = runs(entries ?? []);
    return (
        <Card id="history" component="section" isExpanded={isOpen}>
            <CardHeader onExpand={() => setIsOpen(!isOpen)}
                toggleButtonProps={{ id: "history-toggle", "aria-label": _("History"), "aria-expanded": isOpen }}
                actions={isOpen ? { actions: <Button variant="link" onClick={read}>{_("Refresh")}</Button>, hasNoOffset: true } : undefined}>
                <CardTitle component="h2">{_("History")}</CardTitle>
            </CardHeader>
            <CardExpandableContent>
                <CardBody>
                    {failure && <Alert isInline variant="danger" title={visible(failure)} />}
                    {!entries && !failure && <Waiting />}
                    {entries && found.length === 0 && <p>{_("The journal has nothing of nethook, or you may not read it.")}</p>}
                    {found.length > 0 &&
                        <Table variant="compact" gridBreakPoint="grid-md" aria-label={_("History")}>
                            <Thead>
                                <Tr>
                                    <Th width={20}>{_("Time")}</Th>
                                    <Th width={20}>{_("Why")}</Th>
                                    <Th>{_("What")}</Th>
                                </Tr>
                            </Thead>
                            <Tbody>
                                {found.slice(0, most).map((run) => (
                                    <Tr key={run.key}>
                                        <Td dataLabel={_("Time")}>{when.format(run.time)}</Td>
                                        <Td dataLabel={_("Why")}>{visible(run.why) || "–"}</Td>
                                        <Td dataLabel={_("What")}>
                                            {run.entries.map((entry) => (
                                                <div key={entry.key} className={entry.isError ? "nethook-entry nethook-error" : "nethook-entry"}>
                                                    {visible(entry.text)}
                                                </div>
                                            ))}
                                        </Td>
                                    </Tr>
                                ))}
                            </Tbody>
                        </Table>}
                    {found.length > most &&
                        <Button variant="link" onClick={() => setMost(most + FEW)}>{_("Show more")}</Button>}
                </CardBody>
            </CardExpandableContent>
        </Card>
    );
}
