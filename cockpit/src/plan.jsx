// What a change would do, or has done, and the dialogs that do it after showing it.
import cockpit from "cockpit";
import { useEffect, useState } from "react";

import { Alert } from "@patternfly/react-core/dist/esm/components/Alert/index.js";
import { Bullseye } from "@patternfly/react-core/dist/esm/layouts/Bullseye/index.js";
import { Button } from "@patternfly/react-core/dist/esm/components/Button/index.js";
import { Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core/dist/esm/components/Modal/index.js";
import { Spinner } from "@patternfly/react-core/dist/esm/components/Spinner/index.js";

import { ask } from "./program.js";
import { place, visible } from "./text.jsx";

const _ = cockpit.gettext;

const SIGNS = { add: "+", remove: "−", replace: "~" };
const WORDS = { add: _("add"), remove: _("remove"), replace: _("replace") };

export function Changes({ title, changes }) {
    return (
        <>
            <h3 className="nethook-heading">{title}</h3>
            <ul className="nethook-changes">
                {changes.map(({ action, text }, at) => (
                    <li key={at} data-action={action}>
                        <span className="nethook-sign" role="img" aria-label={WORDS[action]}>{SIGNS[action]}</span>
                        <span>{visible(text)}</span>
                    </li>
                ))}
            </ul>
        </>
    );
}

// What an answer of `add`, `remove`, `plan` or `apply` has, beside mistakes at fields.
export function Plan({ answer }) {
    return (
        <div className="nethook-plan">
            {answer.lines?.length > 0 && <Changes title={_("In the file")} changes={answer.lines} />}
            {answer.changes.length > 0
                ? <Changes title={_("On this host")} changes={answer.changes} />
                : <p>{_("Nothing changes on this host.")}</p>}
            {(answer.warnings ?? []).map((warning, at) => (
                <Alert key={at} isInline isPlain variant="warning" title={visible(warning.what)}>{visible(warning.advice)}</Alert>
            ))}
        </div>
    );
}

// Return whether an answer has nothing beside the plan, or what was done.
export function isClean({ problems = [], failures = [], hidden, said }) {
    return !problems.length && !failures.length && !hidden && !said;
}

// What an answer has beside the plan: a problem at a word of the command line is about the line of the dialog.
export function Failures({ answer: { problems = [], failures = [], hidden, said } }) {
    const titleOf = (problem) => problem.word === undefined || problem.word === null ? `${place(problem)}: ${problem.what}` : problem.what;
    return (
        <>
            {said && <Alert isInline variant="info" title={visible(said)} />}
            {hidden && <Alert isInline variant="warning" title={visible(hidden)} />}
            {problems.map((problem, at) => (
                <Alert key={`problem ${at}`} isInline variant="danger" title={visible(titleOf(problem))}>{visible(problem.advice)}</Alert>
            ))}
            {failures.map((text, at) => <Alert key={`failure ${at}`} isInline variant="danger" title={visible(text)} />)}
        </>
    );
}

export function Waiting() {
    return <Bullseye><Spinner size="lg" aria-label={_("Please wait")} /></Bullseye>;
}

// A dialog that shows the plan of `look`, and after a click makes it with `make`: arguments of the program.
export function PlanDialog({ title, look, make, button, isDanger, onClose }) {
    const [answer, setAnswer] = useState(null);
    const [failure, setFailure] = useState("");
    const [isBusy, setIsBusy] = useState(false);

    useEffect(() => {
        ask(look).then(setAnswer, (error) => setFailure(error.message));
    }, [look]);

    function run() {
        setIsBusy(true);
        ask(make).then((done) => {
            if (isClean(done))
                onClose();
            else {
                setAnswer({ ...done, isDone: true });
                setIsBusy(false);
            }
        }, (error) => {
            setFailure(error.message);
            setIsBusy(false);
        });
    }

    const isWrong = Boolean(failure) || (answer !== null && !isClean(answer));
    return (
        <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="plan-title">
            <ModalHeader title={title} labelId="plan-title" />
            <ModalBody tabIndex={0} aria-label={title}>
                {!answer && !failure && <Waiting />}
                {failure && <Alert isInline variant="danger" title={visible(failure)} />}
                {answer && !answer.isDone && <Plan answer={answer} />}
                {answer && <Failures answer={answer} />}
            </ModalBody>
            <ModalFooter>
                <Button variant={isDanger ? "danger" : "primary"} onClick={run} isLoading={isBusy}
                    isDisabled={!answer || isWrong || isBusy}>{button}</Button>
                <Button variant="link" onClick={onClose}>{answer?.isDone ? _("Close") : _("Cancel")}</Button>
            </ModalFooter>
        </Modal>
    );
}
