// The program on the host. Everything that the page knows or does goes through here: a list of arguments, and JSON.
import cockpit from "cockpit";

const _ = cockpit.gettext;

const COMMAND = "nethook";
// How long the page waits until it follows the status again after that has ended.
const AGAIN_MS = 5000;
// The version of the status that the page knows, which docs/json.md describes.
const VERSION = 1;
const NO_ANSWER = _("The program nethook has not told its status: it may be of another release than this page.");
const MOST_ENTRIES = 500;

// What went wrong, as a sentence.
function sentence(error, command = COMMAND) {
    if (error.problem === "not-found" && command === COMMAND)
        return _("The program nethook is not installed on this host.");
    if (error.problem === "access-denied")
        return _("This needs administrative access.");
    return (error.message ?? String(error)).replace(/^nethook: /, "").trim();
}

// Run a command as root, and return what it prints. Its error has the sentence, and what it has printed as `output`.
export function execute(argv, superuser = "require") {
    return new Promise((resolve, reject) => {
        cockpit.spawn(argv, { superuser, err: "message" })
                .then(resolve, (error, output) => reject(Object.assign(new Error(sentence(error, argv[0])), { output })));
    });
}

// Return the JSON that a verb prints, whatever its exit status is.
export async function ask(args, superuser = "require") {
    let output = "";
    let failure = null;
    try {
        output = await execute([COMMAND, ...args], superuser);
    } catch (error) {
        output = error.output ?? "";
        failure = error;
    }
    try {
        return JSON.parse(output);
    } catch (error) {
        throw failure ?? error;
    }
}

// Return the status in a line, null if this is none of a version that the page knows.
function read(line) {
    try {
        const found = JSON.parse(line);
        return found.version === VERSION ? found : null;
    } catch {
        return null;
    }
}

// Hand over each status as it comes, and failures, until the returned function is called.
export function follow(take, fail) {
    let channel = null;
    let timer = null;
    let isOver = false;

    function begin() {
        let unread = "";
        let hasTold = false;
        channel = cockpit.spawn([COMMAND, "status", "--json", "--watch"], { superuser: "try", err: "message" });
        channel.stream((text) => {
            const lines = (unread + text).split("\n");
            unread = lines.pop();
            const found = lines.length ? read(lines.at(-1)) : null;
            hasTold = hasTold || found !== null;
            if (lines.length && !found)
                fail(NO_ANSWER);
            else if (found?.error)
                fail(found.error);
            else if (found)
                take(found);
        });
        channel.then(() => again(hasTold ? null : { message: NO_ANSWER }), again);
    }

    function again(error) {
        if (isOver)
            return;
        if (error)
            fail(sentence(error));
        timer = window.setTimeout(begin, AGAIN_MS);
    }

    begin();
    return () => {
        isOver = true;
        window.clearTimeout(timer);
        channel.close();
    };
}

// Return what was done, the latest first: entries with time (ms), text, why, and whether it is an error.
export async function history() {
    const output = await execute(
        ["journalctl", "--identifier=nethook", "--output=json", "--reverse", `--lines=${MOST_ENTRIES}`,
            "--output-fields=MESSAGE,PRIORITY"], "try");
    return output.split("\n").filter(Boolean).map((line) => entry(JSON.parse(line)));
}

// The journal has a text that is not plain as a list of bytes.
function entry({ MESSAGE, PRIORITY, __REALTIME_TIMESTAMP: time, __CURSOR: key }) {
    const message = typeof MESSAGE === "string" ? MESSAGE : new TextDecoder().decode(new Uint8Array(MESSAGE ?? []));
    const [, text, why] = /^(.*?)(?: \[([^\]]*)\])?$/s.exec(message);
    return { key, time: Number(time) / 1000, text, why: why ?? "", isError: Number(PRIORITY) <= 3 };
}
