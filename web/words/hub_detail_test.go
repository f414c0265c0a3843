package words_test

import (
	"context"
	"strings"
	"testing"

	"hone/core/device"
	"hone/core/device/cpu"
	"hone/core/host"
	"hone/core/hub/hubtest"
	"hone/core/recipe"
	"hone/core/wire"
	"hone/web/words"
)

// TestHubDetails asks a host for models that are not to be had, and for settings that do not work: what it says, with all that stands around
// it, comes out in Chinese.
func TestHubDetails(t *testing.T) {
	s := hubtest.New(t)
	for _, v := range s.Environ(t) {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	s.Add("models", "org/gated", map[string][]byte{"config.json": []byte("{}"), "model.safetensors": []byte("x")}).Gated = true
	h, err := host.Open(host.Options{Dir: t.TempDir(), Device: func(context.Context, recipe.Recipe) (device.Device, error) { return cpu.New(1), nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	says := func(r wire.Request, want ...string) {
		t.Helper()
		_, err := wire.Ask[any](t.Context(), h, r, nil)
		if err == nil {
			t.Fatalf("%+v is not refused", r)
		}
		got, known := words.Detail(words.Chinese, err.Error())
		for _, w := range want {
			if !known || !strings.Contains(got, w) || strings.Contains(got, "there is no such path") {
				t.Errorf("%q became %q, want %q in it", err, got, w)
			}
		}
	}
	says(wire.Fetch{What: "model", Of: "org/none"}, "Hugging Face", "上没有 org/none，或者它是私有的")
	says(wire.Fetch{What: "model", Of: "org/gated"}, "org/gated 需要授权，或是私有的")
	says(wire.Start{Recipe: []byte(`{"model":"m","dataset":["d"],"lora_rank":0,"max_steps":-3}`)}, "lora_rank 的值是 0", "max_steps 的值是 -3")
	says(wire.Start{Recipe: []byte(`{"max_steps":"many"}`)}, "max_steps：这里要填整数")
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("MODELSCOPE_ENDPOINT", "http://127.0.0.1:1")
	says(wire.Fetch{What: "model", Of: "org/none"}, "连不上（dial tcp 127.0.0.1:1: connect: connection refused）", "换用镜像")
}
