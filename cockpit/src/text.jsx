// Texts that others have chosen: names of guests and networks, and sentences that quote them.

// Characters that show nothing, or turn the direction of what follows, are shown by their numbers.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

export function visible(text) {
    return text.replace(HIDDEN, (char) => `\\u{${char.codePointAt(0).toString(16)}}`);
}

// A name within a sentence or table, which keeps its own direction.
export function Name({ children }) {
    return <bdi>{visible(children)}</bdi>;
}

// Return where a problem of the files is.
export function place({ file, line }) {
    return line ? `${file}:${line}` : file;
}
