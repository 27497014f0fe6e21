package components

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"raftmig/tui/present"
)

func TestABrokenCommandIsStillThatCommandToAShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell on this machine")
	}
	commands := []string{
		`printf '%s\n' one two three --cafile /etc/hyperledger/fabric/tls/ca.crt`,
		`CH=settlement; printf "%s|" "$CH.block in \"double\" quotes" $CH.json '$CH.old'`,
		"printf '%s\\n' '{payload:{header:{channel_header:\n    {channel_id:\"'x y'\",type:2}},data:{config_update:.}}}'",
		`printf '%s|' aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\ bbbbbbbbbbbbbbbbbbbbb\\ccccccccccccccccc\'dddddd`,
		"printf '%s' first \\\n    second # it's a remark\nprintf %s third # and another remark, which is longer than the rows; printf no",
		`    printf %s 'größer 中文字中文字中文字中文字中文字 größer'`,
	}
	for _, c := range commands {
		want, err := exec.Command(sh, "-c", c).Output()
		require.NoError(t, err, c)
		var items []present.Item
		for _, l := range strings.Split(c, "\n") {
			items = append(items, present.Item{Line: present.T(present.Code, l), Verbatim: true})
		}
		for width := 23; width <= 80; width++ {
			rows := Items(mono, items, width)
			for _, r := range rows {
				require.LessOrEqual(t, ansi.StringWidth(r), width, fmt.Sprintf("%q", r))
			}
			got, err := exec.Command(sh, "-c", strings.Join(rows, "\n")).CombinedOutput()
			require.NoError(t, err, "%d: %s", width, strings.Join(rows, "\n"))
			require.Equal(t, string(want), string(got), "at %d columns:\n%s", width, strings.Join(rows, "\n"))
		}
	}
}
