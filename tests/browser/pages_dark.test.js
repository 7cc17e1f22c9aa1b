// See pages/in_look.js.

import { pagesIn } from "./pages/in_look.js";

pagesIn("dark");
