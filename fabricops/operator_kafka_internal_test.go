package fabricops

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/runbook"
)

// kafkaState is a Kafka whose brokers a test silences.
type kafkaState struct {
	silent, dead atomic.Bool
	asked        atomic.Int64
}

func (k *kafkaState) watch() *kafkaWatch {
	return &kafkaWatch{now: time.Now, dead: func(context.Context) bool { return k.dead.Load() }, answers: func(context.Context) error {
		k.asked.Add(1)
		if k.silent.Load() {
			return errors.New("kafka0:9092: connection refused")
		}
		return nil
	}}
}

// waiting performs an effect that waits for a condition until it is cut short,
// and returns its problem, after how long, and what was told in between.
func waiting(t *testing.T, k *kafkaState, patience time.Duration, step runbook.StepID, meanwhile func()) (*runbook.Problem, time.Duration, []runbook.Progress) {
	t.Helper()
	o := &Operator{now: time.Now, kafka: k.watch()}
	e := runbook.Effect{ID: "e#1", Kind: runbook.AwaitChannels, Step: step}
	var told []runbook.Progress
	r := reporter(e, func(p runbook.Progress) { told = append(told, p) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begun := time.Now()
	_, err := o.whileKafkaAnswers(ctx, e, r, func(ctx context.Context) (runbook.Evidence, error) {
		meanwhile()
		<-ctx.Done()
		return runbook.Evidence{}, nil
	})
	var p *runbook.Problem
	if err != nil {
		require.ErrorAs(t, err, &p)
	}
	return p, time.Since(begun), told
}

func TestAKafkaThatIsSilentIsToldAtOnceAndGivenUpAfterTheBound(t *testing.T) {
	for _, c := range []struct {
		name  string
		dead  bool
		bound time.Duration
	}{{"brokers that may be starting", false, kafkaSilence}, {"brokers that do not run", true, kafkaDead}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := &kafkaState{}
				k.silent.Store(true)
				k.dead.Store(c.dead)
				p, took, told := waiting(t, k, 2*time.Minute, runbook.StepSwitchType, func() {})
				require.NotNil(t, p)
				require.Contains(t, p.What, c.bound.String())
				require.Contains(t, p.Why, "connection refused")
				require.InDelta(t, c.bound.Seconds(), took.Seconds(), 2)
				require.True(t, told[0].Alarm)
				require.Contains(t, told[0].Text, "Kafka does not answer, for 0s now; waiting up to "+c.bound.String())
				require.Len(t, told, int(c.bound/kafkaLook))
			})
		})
	}
}

// A restart of all brokers, 30 s long, ends no effect.
func TestAKafkaThatComesBackInTimeIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kafkaState{}
		p, took, told := waiting(t, k, 2*time.Minute, runbook.StepRollbackNormal, func() {
			for range 2 {
				time.Sleep(10 * time.Second) // of the bubble's clock
				k.silent.Store(true)
				time.Sleep(30 * time.Second)
				k.silent.Store(false)
			}
		})
		require.Nil(t, p)
		require.Equal(t, 2*time.Minute, took)
		var again int
		for _, l := range told {
			if strings.HasPrefix(l.Text, "Kafka answers again") && !l.Alarm {
				again++
			}
		}
		require.Equal(t, 2, again)
	})
}

func TestKafkaIsOnlyWatchedWhereItIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kafkaState{}
		k.silent.Store(true)
		for _, step := range []runbook.StepID{runbook.StepRestartLeaders, runbook.StepExitNormal, runbook.StepVerifyFinal, runbook.StepPreflight} {
			p, took, _ := waiting(t, k, 2*time.Minute, step, func() {})
			require.Nil(t, p, step)
			require.Equal(t, 2*time.Minute, took)
		}
		require.Zero(t, k.asked.Load())
	})
	for kind, want := range map[runbook.EffectKind]bool{
		runbook.SubmitUpdate: true, runbook.ProveFlush: true, runbook.StopNodes: false, runbook.TakeBackup: false, runbook.RestoreBackup: false,
	} {
		require.Equal(t, want, needsKafka(runbook.Effect{Kind: kind, Step: runbook.StepSwitchType}), kind)
	}
	require.True(t, needsKafka(runbook.Effect{Kind: runbook.StartNodes, Tier: runbook.TierOrderers, Step: runbook.StepBackupStartOrderers}))
	require.False(t, needsKafka(runbook.Effect{Kind: runbook.StartNodes, Tier: runbook.TierBrokers, Step: runbook.StepBackupStartBrokers}))
	require.False(t, needsKafka(runbook.Effect{Kind: runbook.StartNodes, Tier: runbook.TierOrderers, Step: runbook.StepRestartStartOrderers}))
}

// Effects at the same time share the questions, and a silence of long ago is
// none of now.
func TestWhatIsFoundOfKafkaIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kafkaState{}
		k.silent.Store(true)
		w := k.watch()
		for range 10 {
			require.False(t, w.look(t.Context()).since.IsZero())
		}
		require.EqualValues(t, 1, k.asked.Load())
		time.Sleep(10 * time.Minute) // of the bubble's clock
		require.Equal(t, time.Now(), w.look(t.Context()).since)
	})
}
