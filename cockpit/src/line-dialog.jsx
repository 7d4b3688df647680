// The forms in which a line is added or edited: its fields, the mistakes at them, the plan, and then the change.
import cockpit from "cockpit";
import { useEffect, useState } from "react";

import { Alert } from "@patternfly/react-core/dist/esm/components/Alert/index.js";
import { Button } from "@patternfly/react-core/dist/esm/components/Button/index.js";
import { ExpandableSection } from "@patternfly/react-core/dist/esm/components/ExpandableSection/index.js";
import { Form } from "@patternfly/react-core/dist/esm/components/Form/index.js";
import { Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core/dist/esm/components/Modal/index.js";

import { Fields } from "./line-fields.jsx";
import { fieldOf, fromLine, wordsOf } from "./line-words.js";
import { ADDRESSES } from "./lines.jsx";
import { Failures, Plan, Waiting, isClean } from "./plan.jsx";
import { ask } from "./program.js";
import { visible } from "./text.jsx";

const _ = cockpit.gettext;

// `line` is the line to edit, null to add one.
export function LineDialog({ kind, line, onClose }) {
    const [choices, setChoices] = useState(null);
    const [values, setValues] = useState(() => fromLine(kind, line));
    const [answer, setAnswer] = useState(null);
    const [failure, setFailure] = useState("");
    const [isBusy, setIsBusy] = useState(false);
    const [isOpen, setIsOpen] = useState(() => Boolean(line) && Object.keys(line.options).some((key) => key !== "guest"));

    useEffect(() => {
        ask(["networks", "--json"]).then(setChoices, (error) => setFailure(error.message));
    }, []);

    const words = wordsOf(kind, values);
    const problems = answer?.problems ?? [];
    const errors = {};
    const others = [];
    for (const problem of problems) {
        const field = fieldOf(kind, words, problem);
        if (field && !errors[field])
            errors[field] = problem;
        else
            others.push(problem);
    }
    const isShown = answer !== null && isClean(answer);
    const isWritten = Boolean(answer?.written);

    function change(more) {
        setValues({ ...values, ...more });
        setAnswer(null);
        setFailure("");
    }

    function run(way) {
        const replaced = (line?.words ?? []).map((word) => `--replace=${word}`);
        const forward = kind !== ADDRESSES && !values.ports.trim() ? ["--forward"] : [];
        setIsBusy(true);
        setFailure("");
        ask(["add", "--json", way, ...forward, ...replaced, "--", ...words])
                .then((found) => {
                    if (found.written && isClean(found))
                        onClose();
                    else
                        setAnswer(found);
                }, (error) => setFailure(error.message))
                .finally(() => setIsBusy(false));
    }

    function submit(event) {
        event.preventDefault();
        if (!isBusy && choices)
            run(isShown ? "--yes" : "--dry-run");
    }

    const title = line ? cockpit.format(_("Edit $0"), kind.name(line)) : kind.add;
    const more = Object.keys(errors).some((field) => !["address", "network", "guest", "ports"].includes(field));
    return (
        <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="line-title">
            <ModalHeader title={title} labelId="line-title" />
            <ModalBody tabIndex={0} aria-label={title}>
                {!choices && !failure && <Waiting />}
                {choices && !isWritten &&
                    <Form id="line-form" onSubmit={submit} isHorizontal>
                        <Fields kind={kind} values={values} choices={choices} errors={errors} change={change} />
                        <ExpandableSection toggleText={_("More options")} isExpanded={isOpen || more}
                            onToggle={(event, isExpanded) => setIsOpen(isExpanded)}>
                            <div className="nethook-more">
                                <Fields isMore kind={kind} values={values} choices={choices} errors={errors} change={change} />
                            </div>
                        </ExpandableSection>
                    </Form>}
                {failure && <Alert isInline variant="danger" title={visible(failure)} />}
                {answer && <Failures answer={{ ...answer, problems: isWritten ? problems : others }} />}
                {isShown && <Plan answer={answer} />}
            </ModalBody>
            <ModalFooter>
                {!isWritten &&
                    <Button variant="primary" type="submit" form="line-form" isLoading={isBusy} isDisabled={!choices || isBusy}>
                        {!isShown ? _("Show the changes") : line ? _("Save and apply") : _("Add and apply")}
                    </Button>}
                <Button variant="link" onClick={onClose}>{isWritten ? _("Close") : _("Cancel")}</Button>
            </ModalFooter>
        </Modal>
    );
}
