// The two tables: addresses, and forwarded ports.
import cockpit from "cockpit";
import { Fragment, useState } from "react";

import { Button } from "@patternfly/react-core/dist/esm/components/Button/index.js";
import { Card, CardBody, CardHeader, CardTitle } from "@patternfly/react-core/dist/esm/components/Card/index.js";
import { Dropdown, DropdownItem, DropdownList } from "@patternfly/react-core/dist/esm/components/Dropdown/index.js";
import { EmptyState, EmptyStateBody } from "@patternfly/react-core/dist/esm/components/EmptyState/index.js";
import { MenuToggle } from "@patternfly/react-core/dist/esm/components/MenuToggle/index.js";
import { Pagination } from "@patternfly/react-core/dist/esm/components/Pagination/index.js";
import { SearchInput } from "@patternfly/react-core/dist/esm/components/SearchInput/index.js";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table/dist/esm/components/Table/index.js";
import EllipsisVIcon from "@patternfly/react-icons/dist/esm/icons/ellipsis-v-icon.js";

import { Traffic } from "./graph.jsx";
import { keyOf } from "./rates.js";
import { State, byUrgency, isGood } from "./states.jsx";
import { Name, visible } from "./text.jsx";

const _ = cockpit.gettext;

const FEW = 10;
const PAGE = 50;

export const ADDRESSES = {
    id: "addresses",
    title: _("Public addresses"),
    add: _("Add address"),
    none: _("No public address leads to a guest yet."),
    name: (line) => line.prefix,
    columns: [
        [_("Address"), (line) => line.prefix],
        [_("Guest"), (line) => <OrNothing name={line.guest} />],
        [_("Network"), (line) => <OrNothing name={line.network} />],
    ],
};
export const FORWARDS = {
    id: "forwards",
    title: _("Forwarded ports"),
    add: _("Forward port"),
    none: _("No port of this host leads to a guest yet."),
    name: (line) => line.listen,
    columns: [
        [_("Address and ports"), (line) => <Breakable text={line.listen} />],
        [_("Guest"), (line) => <OrNothing name={line.guest} />],
        [_("Leads to"), (line) => <Breakable text={line.target ?? "–"} />],
        [_("Network"), (line) => <OrNothing name={line.network} />],
    ],
};

function OrNothing({ name }) {
    return name ? <Name>{name}</Name> : "–";
}

// An address with ports, which may be broken behind a comma.
function Breakable({ text }) {
    return text.split(",").map((part, at) => at ? <Fragment key={at}>,<wbr />{part}</Fragment> : part);
}

function matches(line, wanted) {
    const words = [line.prefix, line.listen, line.guest, line.network, line.target, line.state, line.reason];
    return words.some((word) => word?.toLowerCase().includes(wanted.toLowerCase()));
}

function Actions({ name, actions }) {
    const [isOpen, setIsOpen] = useState(false);
    return (
        <Dropdown isOpen={isOpen} onOpenChange={setIsOpen} onSelect={() => setIsOpen(false)} popperProps={{ position: "right" }}
            shouldFocusFirstItemOnOpen
            toggle={(ref) => (
                <MenuToggle ref={ref} variant="plain" isExpanded={isOpen} onClick={() => setIsOpen(!isOpen)}
                    aria-label={cockpit.format(_("Actions of $0"), name)} icon={<EllipsisVIcon />} />
            )}>
            <DropdownList>
                {actions.map(({ title, isDanger, run }) => (
                    <DropdownItem key={title} isDanger={isDanger} onClick={run}>{title}</DropdownItem>
                ))}
            </DropdownList>
        </Dropdown>
    );
}

// The actions of a line, by which dialogs open: those that only an administrator can do are null for others.
function actionsOf(line, open, isAdmin) {
    const change = isAdmin && [
        { title: _("Edit"), run: () => open("edit", line) },
        { title: _("Remove"), run: () => open("remove", line), isDanger: true },
    ];
    return [
        ...(isAdmin ? [{ title: _("Why not?"), run: () => open("doctor", line) }] : []),
        ...(line.prefix ? [{ title: _("Guest configuration"), run: () => open("guest-config", line) }] : []),
        ...(change || []),
    ];
}

function Row({ line, kind, rates, open, isAdmin }) {
    const actions = actionsOf(line, open, isAdmin);
    return (
        <Tr>
            {kind.columns.map(([title, cell]) => <Td key={title} dataLabel={title}>{cell(line)}</Td>)}
            <Td dataLabel={_("State")} className="nethook-state">
                <State line={line} />
                {!isGood(line) && isAdmin &&
                    <Button variant="link" isInline onClick={() => open("doctor", line)}>{_("Why not?")}</Button>}
            </Td>
            <Td dataLabel={_("Traffic")}><Traffic rates={rates} isBoth={kind === FORWARDS} /></Td>
            <Td dataLabel={_("Line")} className="nethook-line">
                <span title={line.file}>{`${line.file.split("/").at(-1)}:${line.line}`}</span>
            </Td>
            <Td isActionCell>
                {actions.length > 0 && <Actions name={kind.name(line)} actions={actions} />}
            </Td>
        </Tr>
    );
}

export function Lines({ kind, lines, rates, open, isAdmin }) {
    const [wanted, setWanted] = useState("");
    const [page, setPage] = useState(1);
    const [size, setSize] = useState(PAGE);
    const found = byUrgency(lines.filter((line) => matches(line, wanted)));
    const at = Math.min(page, Math.max(1, Math.ceil(found.length / size)));
    const shown = found.slice((at - 1) * size, at * size);
    const actions = (
        <div className="nethook-tools">
            {lines.length > FEW &&
                <SearchInput value={wanted} onChange={(event, text) => setWanted(text)} onClear={() => setWanted("")}
                    placeholder={_("Filter")} aria-label={cockpit.format(_("Filter: $0"), kind.title)} />}
            {found.length > PAGE &&
                <Pagination isCompact itemCount={found.length} page={at} perPage={size} titles={{ paginationAriaLabel: kind.title }}
                    onSetPage={(event, number) => setPage(number)} onPerPageSelect={(event, number) => setSize(number)} />}
            {isAdmin &&
                <Button variant={kind === ADDRESSES ? "primary" : "secondary"} onClick={() => open("add", kind)}>{kind.add}</Button>}
        </div>
    );
    return (
        <Card id={kind.id} component="section">
            <CardHeader actions={{ actions, hasNoOffset: true }}>
                <CardTitle component="h2">{kind.title}</CardTitle>
            </CardHeader>
            <CardBody>
                {shown.length === 0
                    ? (
                        <EmptyState variant="xs">
                            <EmptyStateBody>{wanted ? cockpit.format(_("Nothing matches $0."), visible(wanted)) : kind.none}</EmptyStateBody>
                        </EmptyState>
                    )
                    : (
                        <Table variant="compact" gridBreakPoint="grid-lg" aria-label={kind.title}>
                            <Thead>
                                <Tr>
                                    {kind.columns.map(([title]) => <Th key={title} modifier="nowrap">{title}</Th>)}
                                    <Th>{_("State")}</Th>
                                    <Th>{_("Traffic")}</Th>
                                    <Th>{_("Line")}</Th>
                                    <Th screenReaderText={_("Actions")} />
                                </Tr>
                            </Thead>
                            <Tbody>
                                {shown.map((line) => (
                                    <Row key={keyOf(line)} line={line} kind={kind} rates={rates.get(keyOf(line))} open={open} isAdmin={isAdmin} />
                                ))}
                            </Tbody>
                        </Table>
                    )}
            </CardBody>
        </Card>
    );
}
