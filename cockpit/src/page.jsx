// The whole page: what there is to know, the two tables, the history, and the dialog that is open.
import cockpit from "cockpit";
import { useEffect, useRef, useState } from "react";

import { Alert } from "@patternfly/react-core/dist/esm/components/Alert/index.js";
import { EmptyState, EmptyStateBody } from "@patternfly/react-core/dist/esm/components/EmptyState/index.js";
import { Page as Frame, PageSection } from "@patternfly/react-core/dist/esm/components/Page/index.js";
import ExclamationCircleIcon from "@patternfly/react-icons/dist/esm/icons/exclamation-circle-icon.js";

import { DoctorDialog } from "./doctor.jsx";
import { GuestConfigDialog } from "./guest-config.jsx";
import { History } from "./history.jsx";
import { LineDialog } from "./line-dialog.jsx";
import { ADDRESSES, FORWARDS, Lines } from "./lines.jsx";
import { PlanDialog, Waiting } from "./plan.jsx";
import { follow } from "./program.js";
import { Rates } from "./rates.js";
import { Summary } from "./summary.jsx";
import { visible } from "./text.jsx";

const _ = cockpit.gettext;

const PLAN = ["plan", "--json"];
const APPLY = ["apply", "--json"];

// Whether the user has administrative access: true, false, or null while that is not known.
function useAdmin() {
    const [isAdmin, setIsAdmin] = useState(null);
    useEffect(() => {
        const permission = cockpit.permission({ admin: true });
        const look = () => setIsAdmin(permission.allowed);
        permission.addEventListener("changed", look);
        look();
        return () => permission.close();
    }, []);
    return isAdmin;
}

function useIsSeen() {
    const [isSeen, setIsSeen] = useState(!cockpit.hidden);
    useEffect(() => {
        const look = () => setIsSeen(!cockpit.hidden);
        cockpit.addEventListener("visibilitychange", look);
        return () => cockpit.removeEventListener("visibilitychange", look);
    }, []);
    return isSeen;
}

// The status, live while somebody sees the page; its rates; and why there is none.
function useStatus(isAdmin, isSeen, changes) {
    const [found, setFound] = useState({ status: null, rates: new Map(), failure: "" });
    const rates = useRef(new Rates());
    useEffect(() => {
        if (isAdmin === null || !isSeen)
            return undefined;
        return follow((status) => setFound({ status, rates: rates.current.take(status, performance.now()), failure: "" }),
                      (failure) => setFound((before) => ({ ...before, failure })));
    }, [isAdmin, isSeen, changes]);
    return found;
}

function LineOf({ dialog, onClose }) {
    const { action, about } = dialog;
    if (action === "apply")
        return <PlanDialog title={_("Put the files in force")} look={PLAN} make={APPLY} button={_("Apply")} onClose={onClose} />;
    if (action === "add")
        return <LineDialog kind={about} line={null} onClose={onClose} />;
    const kind = about.prefix ? ADDRESSES : FORWARDS;
    const name = kind.name(about);
    if (action === "edit")
        return <LineDialog kind={kind} line={about} onClose={onClose} />;
    if (action === "doctor")
        return <DoctorDialog name={name} onClose={onClose} />;
    if (action === "guest-config")
        return <GuestConfigDialog address={about.prefix} onClose={onClose} />;
    return (
        <PlanDialog isDanger title={cockpit.format(_("Remove $0?"), name)} look={dialog.look} make={dialog.make}
            button={_("Remove and apply")} onClose={onClose} />
    );
}

export function Page() {
    const isAdmin = useAdmin();
    const isSeen = useIsSeen();
    const [dialog, setDialog] = useState(null);
    const [changes, setChanges] = useState(0);
    const { status, rates, failure } = useStatus(isAdmin, isSeen, changes);

    function open(action, about) {
        const words = action === "remove" ? about.words : [];
        setDialog({
            action,
            about,
            look: ["remove", "--json", "--dry-run", "--", ...words],
            make: ["remove", "--json", "--yes", "--", ...words],
        });
    }

    function close() {
        setDialog(null);
        setChanges(changes + 1);
    }

    return (
        <Frame className="no-masthead-sidebar">
            <PageSection hasBodyWrapper={false} className="nethook-page">
                {failure && status && <Alert isInline variant="danger" title={visible(failure)} />}
                {failure && !status &&
                    <EmptyState headingLevel="h1" icon={ExclamationCircleIcon} titleText={_("The status cannot be read")} status="danger">
                        <EmptyStateBody>{visible(failure)}</EmptyStateBody>
                    </EmptyState>}
                {!status && !failure && <Waiting />}
                {status &&
                    <>
                        <Summary status={status} onApply={isAdmin ? () => open("apply", null) : null} />
                        {isAdmin === false &&
                            <Alert isInline variant="info" id="read-only"
                                title={_("Changes need administrative access, and so does a look at firewalls and counters")} />}
                        <Lines kind={ADDRESSES} lines={status.lines} rates={rates} open={open} isAdmin={isAdmin} />
                        <Lines kind={FORWARDS} lines={status.forwards} rates={rates} open={open} isAdmin={isAdmin} />
                        <History />
                    </>}
            </PageSection>
            {dialog && <LineOf dialog={dialog} onClose={close} />}
        </Frame>
    );
}
