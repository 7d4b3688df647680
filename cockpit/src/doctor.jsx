// Why an address does not answer: the way of a packet, where it breaks, and what repairs it.
import cockpit from "cockpit";
import { useEffect, useState } from "react";

import { Alert } from "@patternfly/react-core/dist/esm/components/Alert/index.js";
import { Button } from "@patternfly/react-core/dist/esm/components/Button/index.js";
import { ExpandableSection } from "@patternfly/react-core/dist/esm/components/ExpandableSection/index.js";
import { Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core/dist/esm/components/Modal/index.js";

import { Command } from "./copied.jsx";
import { Waiting } from "./plan.jsx";
import { ask, execute } from "./program.js";
import { visible } from "./text.jsx";

const _ = cockpit.gettext;

const VARIANTS = { failure: "danger", warning: "warning", ok: "success" };

// The places on the way of a packet. What comes before the break is passed.
function Way({ places, at }) {
    const kindOf = (number) => at === null || number < at ? "passed" : number === at ? "broken" : "beyond";
    const words = { passed: _("passed"), broken: _("broken here"), beyond: _("not reached") };
    return (
        <ol className="nethook-way" aria-label={_("The way of a packet")}>
            {places.map((place, number) => (
                <li key={number} data-kind={kindOf(number)} aria-current={number === at ? "step" : undefined}>
                    <span className="nethook-stop" role="img" aria-label={words[kindOf(number)]} />
                    <span>{visible(place)}</span>
                </li>
            ))}
        </ol>
    );
}

// A finding that is not about the line with this name tells which lines it is about.
function Finding({ name, finding, run, isBusy }) {
    const others = finding.addresses.includes(name) ? "" : finding.addresses.join(", ");
    const title = others ? `${others}: ${finding.text}` : finding.text;
    return (
        <Alert isInline variant={VARIANTS[finding.verdict]} title={visible(title)} data-station={finding.station}>
            {finding.advice && <p>{visible(finding.advice)}</p>}
            {finding.command &&
                <div className="nethook-repair">
                    <Command text={finding.command} label={_("Command that repairs it")} />
                    {finding.commands.length > 0 &&
                        <Button variant="secondary" onClick={() => run(finding.commands)} isDisabled={isBusy} isLoading={isBusy}>
                            {_("Run this command")}
                        </Button>}
                </div>}
        </Alert>
    );
}

// The cause is the first failure; its way is the one that is drawn. A healthy address has the way of any finding.
function drawn(findings) {
    const cause = findings.find(({ verdict, way }) => verdict === "failure" && way);
    const any = cause ?? findings.find(({ way }) => way);
    return any && { places: any.way, at: cause ? cause.way_at : null };
}

function verdict(found) {
    const failures = found.findings.filter((finding) => finding.verdict === "failure");
    if (failures.length)
        return _("Packets do not get through. The first problem is the cause:");
    if (found.stopped_by)
        return _("Not everything could be examined:");
    if (found.findings.some((finding) => finding.verdict === "warning"))
        return found.healthy.length
            ? _("Packets get through. This is worth knowing:")
            : _("No certain fault was found. This is worth knowing:");
    return found.healthy.length ? _("Nothing is wrong: the guest has answered.") : _("Nothing is wrong.");
}

function Folded({ title, children }) {
    const [isOpen, setIsOpen] = useState(false);
    return (
        <ExpandableSection toggleText={title} isExpanded={isOpen} onToggle={(event, isExpanded) => setIsOpen(isExpanded)}>
            <div className="nethook-report">{children}</div>
        </ExpandableSection>
    );
}

// Warnings are folded where something is worse.
function Report({ name, found, run, isBusy }) {
    const way = drawn(found.findings);
    const [failures, warnings, fine] = ["failure", "warning", "ok"].map(
        (wanted) => found.findings.filter(({ verdict }) => verdict === wanted));
    const shown = (findings) => findings.map((finding, at) => <Finding key={at} name={name} finding={finding} run={run} isBusy={isBusy} />);
    return (
        <div className="nethook-report">
            <p className="nethook-said" role="status">{verdict(found)}</p>
            {way && <Way {...way} />}
            {shown(failures)}
            {found.stopped_by && <Alert isInline variant="warning" title={visible(found.stopped_by)} />}
            {failures.length === 0 && shown(warnings)}
            {failures.length > 0 && warnings.length > 0 &&
                <Folded title={cockpit.format(_("Also worth knowing: $0"), warnings.length)}>{shown(warnings)}</Folded>}
            <Folded title={cockpit.format(_("Stations without a problem: $0"), fine.length)}>
                <ul className="nethook-fine">
                    {fine.map((finding, at) => <li key={at}><b>{finding.station}</b>: {visible(finding.text)}</li>)}
                </ul>
            </Folded>
        </div>
    );
}

// `name` is the address, or the address with ports, as its line has it.
export function DoctorDialog({ name, onClose }) {
    const [found, setFound] = useState(null);
    const [failure, setFailure] = useState("");
    const [isBusy, setIsBusy] = useState(false);

    function examine() {
        return ask(["doctor", "--json", "--", name]).then(setFound, (error) => setFailure(error.message));
    }

    useEffect(() => {
        examine();
    }, []);

    async function run(commands) {
        setIsBusy(true);
        setFailure("");
        try {
            for (const argv of commands)
                await execute(argv);
        } catch (error) {
            setFailure(error.message);
        }
        await examine();
        setIsBusy(false);
    }

    const title = cockpit.format(_("Why does $0 not answer?"), name);
    return (
        <Modal isOpen variant="large" onClose={onClose} aria-labelledby="doctor-title">
            <ModalHeader title={title} labelId="doctor-title" />
            <ModalBody tabIndex={0} aria-label={title}>
                {failure && <Alert isInline variant="danger" title={visible(failure)} />}
                {!found && !failure && <Waiting />}
                {found && <Report name={name} found={found} run={run} isBusy={isBusy} />}
            </ModalBody>
            <ModalFooter>
                <Button variant="secondary" onClick={onClose}>{_("Close")}</Button>
            </ModalFooter>
        </Modal>
    );
}
