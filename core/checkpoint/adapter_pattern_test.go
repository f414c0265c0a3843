package checkpoint

import (
	"math"
	"testing"
)

// What modules have is what PEFT gives them: names match from a dot on, the first pattern counts, numbers stand behind
// the last dot-name-dot.
func TestModulesDiffer(t *testing.T) {
	type want struct {
		covered bool
		rank    int
		scale   float64
	}
	for _, c := range []struct {
		members string
		modules map[string]want
	}{
		{`"target_modules":["q","v"],"rank_pattern":{"layers.1.q":4,"q":16},"alpha_pattern":{"layers\\.1\\..*":3}`, map[string]want{
			"m.layers.0.q": {true, 16, 8.0 / 16}, "m.layers.1.q": {true, 4, 3.0 / 4}, "m.layers.1.v": {true, 2, 3.0 / 2}, "m.layers.11.q": {true, 16, 8.0 / 16}, "q": {true, 16, 0.5}, "m.xq": {false, 2, 4}}},
		{`"target_modules":["q"],"rank_pattern":{"q":16,"layers.1.q":4}`, map[string]want{"m.layers.1.q": {true, 16, 0.5}}}, // the first that fits
		{`"target_modules":["q"],"rank_pattern":{"v|q":6}`, map[string]want{"m.q": {true, 6, 8.0 / 6}, "m.vq": {false, 2, 4}}},
		{`"target_modules":["q"],"use_rslora":true,"rank_pattern":{"q":16}`, map[string]want{"m.q": {true, 16, 2}}},
		{`"target_modules":["q"],"layers_to_transform":[0,2]`, map[string]want{
			"m.layers.0.q": {true, 2, 4}, "m.layers.1.q": {false, 2, 4}, "m.h.2.attn.q": {true, 2, 4}, "layers.0.q": {false, 2, 4}, "m.q": {false, 2, 4}, "m.layers.20.q": {false, 2, 4}}},
		{`"target_modules":["q"],"layers_to_transform":1,"layers_pattern":"h"`, map[string]want{"m.h.1.q": {true, 2, 4}, "m.layers.1.q": {false, 2, 4}, "m.h.0.q": {false, 2, 4}}},
		{`"target_modules":["q"],"layers_to_transform":[1],"layers_pattern":["h","blocks"]`, map[string]want{"m.h.1.q": {true, 2, 4}, "m.blocks.1.q": {true, 2, 4}, "m.layers.1.q": {false, 2, 4}}},
		{`"target_modules":["q","v"],"exclude_modules":["v","layers.0.q"]`, map[string]want{"m.layers.0.q": {false, 2, 4}, "m.layers.1.q": {true, 2, 4}, "m.layers.1.v": {false, 2, 4}, "q": {true, 2, 4}}},
		{`"target_modules":"all-linear","exclude_modules":".*\\.1\\..*"`, map[string]want{"m.layers.0.q": {true, 2, 4}, "m.layers.1.q": {false, 2, 4}}},
	} {
		cfg, err := ParseAdapterConfig([]byte(`{"peft_type":"LORA","r":2,"lora_alpha":8,` + c.members + `}`))
		if err != nil {
			t.Fatalf("%s: %v", c.members, err)
		}
		for module, want := range c.modules {
			if got := cfg.Covers(module); got != want.covered {
				t.Errorf("%s covers %s: %v", c.members, module, got)
			}
			if rank, scale := cfg.RankOf(module), cfg.ScaleOf(module); rank != want.rank || math.Abs(scale-want.scale) > 1e-12 {
				t.Errorf("%s gives %s the rank %d and the scale %v, want %d and %v", c.members, module, rank, scale, want.rank, want.scale)
			}
		}
	}
}
