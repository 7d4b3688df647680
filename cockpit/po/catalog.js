// A file of gettext → what cockpit.locale() takes, as JavaScript.
// https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html

// Return the entries of the text: objects with msgctxt, msgid, msgid_plural, and a list msgstr.
export function entries(text) {
    const found = [];
    let field = null;
    for (const line of text.split("\n").filter((each) => each && !each.startsWith("#"))) {
        const [, keyword, number, quoted] = /^(?:(msg\w+)(?:\[(\d)\])? )?(".*")$/.exec(line.trim());
        if (keyword === "msgctxt" || (keyword === "msgid" && field !== "msgctxt"))
            found.push({ msgstr: [] });
        const entry = found.at(-1);
        field = keyword ?? field;
        if (field === "msgstr") {
            const at = keyword ? Number(number ?? 0) : entry.msgstr.length - 1;
            entry.msgstr[at] = (entry.msgstr[at] ?? "") + JSON.parse(quoted);
        } else
            entry[field] = (entry[field] ?? "") + JSON.parse(quoted);
    }
    return found;
}

// Return the argument of cockpit.locale() for the text of a .po file.
export function catalog(text) {
    const [header, ...rest] = entries(text);
    const fields = Object.fromEntries(header.msgstr[0].trim().split("\n").map((line) => line.split(": ")));
    const plural = /plural=([n\d\s!=<>?:%&|()]+);/.exec(fields["Plural-Forms"])[1];
    const lines = rest.filter(({ msgstr }) => msgstr.every(Boolean)).map(({ msgctxt, msgid, msgid_plural, msgstr }) => {
        const key = msgctxt === undefined ? msgid : `${msgctxt}\u0004${msgid}`;
        return `${JSON.stringify(key)}: ${JSON.stringify([msgid_plural ?? null, ...msgstr])}`;
    });
    const about = [
        `"plural-forms": (n) => Number(${plural})`,
        `"language": ${JSON.stringify(fields.Language)}`,
        '"language-direction": "ltr"',
    ];
    return `{\n"": {${about.join(", ")}},\n${lines.join(",\n")}\n}`;
}
