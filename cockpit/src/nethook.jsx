import cockpit from "cockpit";
import { createRoot } from "react-dom/client";

import "@patternfly/react-core/dist/styles/base.css";

import { Page } from "./page.jsx";
import "./page.css";
import "./theme.js";

const _ = cockpit.gettext;

document.documentElement.lang = cockpit.language || "en";
document.title = _("Public addresses");
createRoot(document.getElementById("app")).render(<Page />);
