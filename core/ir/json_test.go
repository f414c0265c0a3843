package ir_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"hone/core/ir"
)

// roundTrip sends a program to another machine.
func roundTrip(t *testing.T, g *ir.Graph) *ir.Graph {
	t.Helper()
	data, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	var there ir.Graph
	if err := json.Unmarshal(data, &there); err != nil {
		t.Fatal(err)
	}
	return &there
}

// A program that was sent as JSON gives bit for bit the same, and its memory is planned in the same way.
func TestJSONRoundTrip(t *testing.T) {
	check := func(name string, g *ir.Graph, feeds, states values) {
		t.Helper()
		there := roundTrip(t, g)
		if there.String() != g.String() {
			t.Errorf("%s: sent\n%vand received\n%v", name, g, there)
		}
		wantOut, wantStates, err := ir.Interpret(g, feeds, states)
		if err != nil {
			t.Fatal(err)
		}
		gotOut, gotStates, err := ir.Interpret(there, feeds, states)
		if err != nil {
			t.Fatal(err)
		}
		if d := difference(gotOut, wantOut) + difference(gotStates, wantStates); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if got, want := ir.NewPlan(there), ir.NewPlan(g); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: planned as %+v, at home as %+v", name, got, want)
		}
	}
	for _, recompute := range []bool{false, true} {
		g := toy(t, 2, recompute)
		check("toy", g, toyFeeds(g), fill(g, g.States, 0.5))
	}
	for seed := range uint64(100) {
		g := randomProgram(t, seed)
		feeds, states := randomValues(g)
		check("random program", g, feeds, states)
	}
}
