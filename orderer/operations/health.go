package operations

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Check says why a component is not healthy, or nil.
type Check func(ctx context.Context) error

// healthTimeout is how long all checks together may take.
const healthTimeout = 30 * time.Second

// Health answers /healthz. It is safe for concurrent use.
type Health struct {
	now func() time.Time

	mu       sync.RWMutex
	checkers map[string]Check
}

// NewHealth returns a Health without components; now is its clock.
func NewHealth(now func() time.Time) *Health {
	return &Health{now: now, checkers: map[string]Check{}}
}

// RegisterChecker adds a component; it must not be registered yet.
func (h *Health) RegisterChecker(component string, c func(context.Context) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.checkers[component]; ok {
		return errors.New("'" + component + "' is already registered")
	}
	h.checkers[component] = c
	return nil
}

// DeregisterChecker removes a component.
func (h *Health) DeregisterChecker(component string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.checkers, component)
}

type failedCheck struct {
	Component string `json:"component"`
	Reason    string `json:"reason"`
}

type healthBody struct {
	Status       string        `json:"status"`
	Time         time.Time     `json:"time"`
	FailedChecks []failedCheck `json:"failed_checks,omitempty"`
}

// ServeHTTP implements http.Handler.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	result := make(chan []failedCheck, 1)
	go func() { result <- h.run(ctx) }()
	select {
	case failed := <-result:
		if len(failed) > 0 {
			answer(w, http.StatusServiceUnavailable, healthBody{"Service Unavailable", h.now(), failed})
			return
		}
		answer(w, http.StatusOK, healthBody{"OK", h.now(), nil})
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			w.WriteHeader(http.StatusRequestTimeout)
		}
	}
}

// run asks all components at once and returns those that fail, sorted.
func (h *Health) run(ctx context.Context) []failedCheck {
	h.mu.RLock()
	checkers := maps.Clone(h.checkers) // not held while checks run, which may be long
	h.mu.RUnlock()
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		failed []failedCheck
	)
	for component, c := range checkers {
		wg.Go(func() {
			if err := c(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, failedCheck{component, err.Error()})
			}
		})
	}
	wg.Wait()
	slices.SortFunc(failed, func(a, b failedCheck) int { return strings.Compare(a.Component, b.Component) })
	return failed
}
