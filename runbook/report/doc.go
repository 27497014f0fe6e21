// Package report writes down how a run went: as the JSON document of headless
// runs, and as a report with the evidence, in Markdown and in HTML. It is pure:
// it knows only the snapshot that it is given.
package report
