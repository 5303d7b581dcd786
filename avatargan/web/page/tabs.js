// The tabs, in order. Each is {name, symbol, available(context), mount(element, context)}; mount
// may return {shown(options)}, which is called whenever the tab is shown.
import collection from "./collection.js";
import create from "./create.js";
import exporting from "./export.js";
import morph from "./morph.js";
import picture from "./picture.js";
import sketch from "./sketch.js";

export const TABS = [create, sketch, picture, collection, morph, exporting];
