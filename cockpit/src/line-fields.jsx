// The fields of a line.
import cockpit from "cockpit";

import { FormGroup, FormHelperText } from "@patternfly/react-core/dist/esm/components/Form/index.js";
import { FormSelect, FormSelectOption } from "@patternfly/react-core/dist/esm/components/FormSelect/index.js";
import { HelperText, HelperTextItem } from "@patternfly/react-core/dist/esm/components/HelperText/index.js";
import { TextInput } from "@patternfly/react-core/dist/esm/components/TextInput/index.js";

import { HOST_ITSELF } from "./line-words.js";
import { ADDRESSES } from "./lines.jsx";
import { visible } from "./text.jsx";

const _ = cockpit.gettext;

function Field({ id, label, error, help, isRequired, children }) {
    return (
        <FormGroup fieldId={id} label={label} isRequired={isRequired}>
            {children}
            {(error || help) &&
                <FormHelperText>
                    <HelperText id={`${id}-help`} isLiveRegion={Boolean(error)}>
                        <HelperTextItem variant={error ? "error" : "default"}>
                            {error ? visible([error.what, error.advice].filter(Boolean).join("; ")) : help}
                        </HelperTextItem>
                    </HelperText>
                </FormHelperText>}
        </FormGroup>
    );
}

function Text({ id, label, value, set, error, help, isRequired, ...rest }) {
    return (
        <Field id={id} label={label} error={error} help={help} isRequired={isRequired}>
            <TextInput id={id} value={value} onChange={(event, text) => set(text)} validated={error ? "error" : "default"}
                aria-describedby={error || help ? `${id}-help` : undefined} isRequired={isRequired} {...rest} />
        </Field>
    );
}

// `choices` are lists of value, text and whether it can be chosen.
function Choice({ id, label, value, set, error, help, isRequired, choices }) {
    const known = choices.some(([each]) => each === value);
    return (
        <Field id={id} label={label} error={error} help={help} isRequired={isRequired}>
            <FormSelect id={id} value={value} onChange={(event, chosen) => set(chosen)} validated={error ? "error" : "default"}
                aria-describedby={error || help ? `${id}-help` : undefined} isRequired={isRequired}>
                {!known && <FormSelectOption value={value} label={visible(value)} />}
                {choices.map(([each, text, isDisabled]) => (
                    <FormSelectOption key={each} value={each} label={visible(text)} isDisabled={isDisabled} />
                ))}
            </FormSelect>
        </Field>
    );
}

function networkChoices({ networks }, isForward) {
    return [
        ["", _("Choose a network")],
        ...networks.map(({ name, mode, is_active: isActive, problem }) => {
            const about = problem ?? (isActive ? mode : `${mode}, ${_("not running")}`);
            return [name, `${name} (${about})`, Boolean(problem)];
        }),
        ...(isForward ? [[HOST_ITSELF, _("None: this host keeps the ports")]] : []),
    ];
}

// Guests with a NIC on the network come first.
function guestChoices({ guests }, network, none) {
    const isOn = (guest) => guest.nics.some((nic) => nic.network === network);
    const named = (guest) => [guest.name, guest.is_running ? guest.name : `${guest.name} (${_("not running")})`];
    const elsewhere = guests.filter((guest) => !isOn(guest))
            .map((guest) => [guest.name, `${guest.name} (${_("not on this network")})`]);
    return [["", none], ...guests.filter(isOn).map(named), ...elsewhere];
}

function NetworkAndGuest({ values, choices, errors, change, isForward }) {
    // A choice of the guest is a choice of its network, if none is chosen.
    function chooseGuest(name) {
        const nics = choices.guests.find((guest) => guest.name === name)?.nics ?? [];
        const network = values.network || (nics[0]?.network ?? "");
        change({ network, options: { ...values.options, guest: name } });
    }
    const none = isForward ? _("Choose a guest") : _("Any guest of the network");
    return (
        <>
            <Choice id="network" label={_("Network")} isRequired value={values.network} error={errors.network}
                set={(network) => change({ network })} choices={networkChoices(choices, isForward)} />
            {values.network !== HOST_ITSELF &&
                <Choice id="guest" label={_("Guest")} value={values.options.guest ?? ""} error={errors.guest} set={chooseGuest}
                    choices={guestChoices(choices, values.network, none)}
                    help={isForward ? "" : _("Only this guest can then use the address.")} />}
        </>
    );
}

function AddressFields({ values, choices, errors, change }) {
    return (
        <>
            <Text id="address" label={_("Address")} isRequired value={values.address} error={errors.address}
                set={(address) => change({ address })} placeholder="203.0.113.10"
                help={_("A public address or prefix that your provider routes to this host")} />
            <NetworkAndGuest values={values} choices={choices} errors={errors} change={change} />
        </>
    );
}

function ForwardFields({ values, choices, errors, change }) {
    return (
        <>
            <Text id="address" label={_("Address of this host")} isRequired value={values.address} error={errors.address}
                set={(address) => change({ address })} placeholder="203.0.113.1" list="host-addresses"
                help={_("0.0.0.0 stands for all its IPv4 addresses")} />
            <datalist id="host-addresses">
                {choices.addresses.map(({ address, device }) => <option key={`${address} ${device}`} value={address}>{device}</option>)}
            </datalist>
            <Text id="ports" label={_("Ports")} value={values.ports} error={errors.ports} set={(ports) => change({ ports })}
                placeholder="80,443" help={_("Ports and ranges such as 8000-8010; empty: the whole address")} />
            {values.ports &&
                <Choice id="protocols" label={_("Protocol")} value={values.protocols} set={(protocols) => change({ protocols })}
                    choices={[["tcp", "TCP"], ["udp", "UDP"], ["tcp,udp", _("TCP and UDP")]]} />}
            <NetworkAndGuest isForward values={values} choices={choices} errors={errors} change={change} />
        </>
    );
}

// Options of an address, or of ports, that few lines need.
const MORE = {
    addresses: [
        ["via", _("Next hop"), _("The guest's own address; a prefix needs one")],
        ["proxy", _("Answer ARP and NDP on"), _("The uplink, if the provider does not route the address to this host")],
        ["mac", _("MAC address"), _("Chooses one of several NICs of the guest")],
    ],
    forwards: [
        ["to", _("Leads to"), _("Another port of the guest, its address, or both, such as 192.168.122.10:22")],
        ["from", _("Only from"), _("Addresses and prefixes of clients that may connect")],
        ["mac", _("MAC address"), _("Chooses one of several NICs of the guest")],
    ],
};

function uplinkChoices({ addresses }) {
    const devices = [...new Set(addresses.map(({ device }) => device))];
    return [["", _("No uplink")], ...devices.map((device) => [device, device])];
}

export function Fields({ kind, values, choices, errors, change, isMore }) {
    if (!isMore) {
        const Shown = kind === ADDRESSES ? AddressFields : ForwardFields;
        return <Shown values={values} choices={choices} errors={errors} change={change} />;
    }
    return MORE[kind.id].map(([key, label, help]) => {
        const value = values.options[key] ?? "";
        const set = (text) => change({ options: { ...values.options, [key]: text } });
        const shared = { id: key, label, help, value, set, error: errors[key] };
        return key === "proxy" ? <Choice key={key} {...shared} choices={uplinkChoices(choices)} /> : <Text key={key} {...shared} />;
    });
}
