package runbook

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fill gives every slice, map and pointer below v something to point to.
func fill(v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.SetMapIndex(reflect.Zero(v.Type().Key()), value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}

// shared names what two values of a type both point to.
func shared(path string, a, b reflect.Value) []string {
	if a.Type() == reflect.TypeFor[time.Time]() {
		return nil
	}
	var out []string
	switch a.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if a.IsNil() || b.IsNil() {
			return []string{path + " is lost"}
		}
		if a.Pointer() == b.Pointer() {
			out = append(out, path)
		}
	}
	switch a.Kind() {
	case reflect.Pointer:
		out = append(out, shared(path, a.Elem(), b.Elem())...)
	case reflect.Slice:
		out = append(out, shared(path+"[]", a.Index(0), b.Index(0))...)
	case reflect.Map:
		key := reflect.Zero(a.Type().Key())
		out = append(out, shared(path+"[]", a.MapIndex(key), b.MapIndex(key))...)
	case reflect.Struct:
		for i := range a.NumField() {
			out = append(out, shared(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))...)
		}
	}
	return out
}

// requireApart demands that a copy shares nothing with what it is a copy of.
func requireApart[T any](t *testing.T, clone func(T) T) {
	t.Helper()
	var v T
	fill(reflect.ValueOf(&v).Elem())
	c := clone(v)
	require.Equal(t, v, c)
	require.Empty(t, shared(fmt.Sprintf("%T", v), reflect.ValueOf(v), reflect.ValueOf(c)))
}

func TestCopiesShareNothing(t *testing.T) {
	requireApart(t, cloneEvent)
}

func TestASnapshotSharesNoTextOfAStep(t *testing.T) {
	r := New()
	require.NoError(t, r.Step(Event{Kind: EventStarted, Plan: &Plan{Network: "n", Orderers: []string{"o"}}}))
	commands := func() []string { return r.Snapshot().Steps[0].Explain.Commands }
	was := commands()[0]
	commands()[0] = "changed"
	require.Equal(t, was, commands()[0])
}
