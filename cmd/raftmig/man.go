package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

func newManCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "man",
		Short: "Write the man pages of all commands",
		Long: `Man writes one page for each command to a folder, which is made if it is not
there. What they say is what --help says. SOURCE_DATE_EPOCH sets their date.`,
		Example: `  raftmig man --dir /usr/local/share/man/man1
  raftmig man --dir man && man man/raftmig-rehearse.1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return withCode(exitUsage, err)
			}
			root := newRootCommand()
			root.DisableAutoGenTag = true
			asMarkdown(root)
			if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "raftmig " + version, Manual: "raftmig"}, dir); err != nil {
				return fmt.Errorf("writing man pages: %w", err)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "Wrote the man pages to %s; the first one is raftmig.1.\n", dir)
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "man", "folder to write to")
	return cmd
}

// asMarkdown makes the plain texts of cmd and of all commands below it into
// Markdown, which the pages are made from.
func asMarkdown(cmd *cobra.Command) {
	cmd.Long = markdown(cmd.Long)
	cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = escaped.Replace(f.Usage) })
	for _, sub := range cmd.Commands() {
		asMarkdown(sub)
	}
}

var escaped = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "<", `\<`, ">", `\>`, "[", `\[`, "#", `\#`)

// markdown keeps paragraphs that are indented as they are, line by line.
func markdown(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		if strings.HasPrefix(p, "  ") {
			paragraphs[i] = "    " + strings.ReplaceAll(p, "\n", "\n    ")
		} else {
			paragraphs[i] = escaped.Replace(p)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}
