// Command demo plays a made-up migration on the screen, to look at the screen:
//
//	go run ./tui/internal/demo [-plain | -headless] [-channels 25] [-speed 2] [-fail switch.verify] [-lose backup.copy]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"raftmig/runbook"
	"raftmig/tui"
	"raftmig/tui/internal/script"
	"raftmig/tui/plain"
)

func main() {
	var (
		usePlain    = flag.Bool("plain", false, "numbered prompts")
		useHeadless = flag.Bool("headless", false, "no questions")
		channels    = flag.Int("channels", 2, "channels beside the system channel, at least 2")
		orderers    = flag.Int("orderers", 3, "orderers shown in the matrix")
		speed       = flag.Float64("speed", 2, "times faster than real")
		failAt      = flag.String("fail", "", "step that fails once")
		loseAt      = flag.String("lose", "", "step during which the connection is lost")
		ascii       = flag.Bool("ascii", false, "ASCII only")
		slow        = flag.Bool("slow-link", false, "few bytes")
		readOnly    = flag.Bool("read-only", false, "only look")
	)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cfg := script.Config{
		Shape: script.Shape{Network: "rehearsal-net", Channels: max(2, *channels), Orderers: max(3, *orderers)}, Noise: true,
		FailAt: runbook.StepID(*failAt), LoseAt: runbook.StepID(*loseAt), Now: time.Now,
		Wait: func(ctx context.Context, d time.Duration) {
			t := time.NewTimer(time.Duration(float64(d) / *speed))
			defer t.Stop()
			select {
			case <-t.C:
			case <-ctx.Done():
			}
		},
	}
	play := func() runbook.Client { return script.Play(ctx, cfg) }
	by := "demo@" + hostname()
	var err error
	switch {
	case *useHeadless:
		_, err = plain.Headless(ctx, play(), os.Stdout)
	case *usePlain:
		err = plain.Run(ctx, play(), os.Stdin, os.Stdout, plain.Options{By: by, Interactive: true, ReadOnly: *readOnly, AttachHint: "go run ./tui/internal/demo"})
	default:
		err = tui.Run(ctx, play(), tui.Options{
			NoColor: os.Getenv("NO_COLOR") != "", ASCII: *ascii, SlowLink: *slow, ReadOnly: *readOnly, By: by, AttachHint: "go run ./tui/internal/demo",
			Reattach: func(context.Context) (runbook.Client, error) { cfg.LoseAt = ""; return play(), nil },
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func hostname() string {
	h, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return h
}
