// What to write in the guest.
import cockpit from "cockpit";
import { useEffect, useState } from "react";

import { Alert } from "@patternfly/react-core/dist/esm/components/Alert/index.js";
import { Button } from "@patternfly/react-core/dist/esm/components/Button/index.js";
import {
    DescriptionList, DescriptionListDescription, DescriptionListGroup, DescriptionListTerm
} from "@patternfly/react-core/dist/esm/components/DescriptionList/index.js";
import { Form, FormGroup } from "@patternfly/react-core/dist/esm/components/Form/index.js";
import { FormSelect, FormSelectOption } from "@patternfly/react-core/dist/esm/components/FormSelect/index.js";
import { Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core/dist/esm/components/Modal/index.js";

import { Copied } from "./copied.jsx";
import { Waiting } from "./plan.jsx";
import { ask } from "./program.js";
import { visible } from "./text.jsx";

const _ = cockpit.gettext;

function Facts({ found }) {
    const facts = [
        [_("Address"), found.address],
        [_("Gateway"), found.gateway],
        [_("Name servers"), found.nameservers.join(", ")],
    ];
    return (
        <DescriptionList isHorizontal isCompact>
            {facts.filter(([, value]) => value).map(([term, value]) => (
                <DescriptionListGroup key={term}>
                    <DescriptionListTerm>{term}</DescriptionListTerm>
                    <DescriptionListDescription>{value}</DescriptionListDescription>
                </DescriptionListGroup>
            ))}
        </DescriptionList>
    );
}

export function GuestConfigDialog({ address, onClose }) {
    const [found, setFound] = useState(null);
    const [failure, setFailure] = useState("");
    const [format, setFormat] = useState("");

    useEffect(() => {
        ask(["guest-config", "--format", "json", "--", address], "try").then(setFound, (error) => setFailure(error.message));
    }, [address]);

    const title = cockpit.format(_("Guest configuration for $0"), address);
    const chosen = found?.configurations.find((each) => each.format === format) ?? found?.configurations[0];
    return (
        <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="config-title">
            <ModalHeader title={title} labelId="config-title" />
            <ModalBody tabIndex={0} aria-label={title}>
                {failure && <Alert isInline variant="danger" title={visible(failure)} />}
                {!found && !failure && <Waiting />}
                {found &&
                    <div className="nethook-report">
                        <Facts found={found} />
                        <Form>
                            <FormGroup fieldId="format" label={_("System of the guest")}>
                                <FormSelect id="format" value={chosen.format} onChange={(event, value) => setFormat(value)}>
                                    {found.configurations.map((each) => (
                                        <FormSelectOption key={each.format} value={each.format} label={each.title} />
                                    ))}
                                </FormSelect>
                            </FormGroup>
                        </Form>
                        {chosen.path && <p>{cockpit.format(_("Write this to $0 in the guest:"), chosen.path)}</p>}
                        <Copied text={chosen.text} label={_("Configuration of the guest")} />
                        {found.remarks.map((text) => <Alert key={text} isInline isPlain variant="info" title={visible(text)} />)}
                    </div>}
            </ModalBody>
            <ModalFooter>
                <Button variant="secondary" onClick={onClose}>{_("Close")}</Button>
            </ModalFooter>
        </Modal>
    );
}
