package recipe

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func roundTrip(t *testing.T, r Recipe) {
	t.Helper()
	out, err := r.ToJSON()
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	if !json.Valid(out) {
		t.Fatalf("not JSON:\n%s", out)
	}
	back, err := FromJSON(out)
	if err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if !back.Equal(r) {
		t.Fatalf("got  %+v\nwant %+v", back, r)
	}
	if again, err := back.ToJSON(); err != nil || !bytes.Equal(again, out) {
		t.Fatalf("written again it differs: %v\n%s", err, again)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	roundTrip(t, parse(t, ""))
	roundTrip(t, parse(t, "--model <a>&日本 --dataset a,b --learning_rate 0.1 --seed 9007199254740991 --device_memory 3GB --packing --weight_decay 1e-320"))
}

func TestPartialJSON(t *testing.T) {
	r, err := FromJSON([]byte(`{"model": "m", "lora_rank": 4, "lora_target_modules": ["ALL"], "train_type": "full"}`))
	if err != nil {
		t.Fatal(err)
	}
	if r.LoRARank != 4 || !r.Given("lora_rank") || r.Given("seed") || r.Seed != 42 || r.LearningRate != 1e-5 || r.LoRATargetModules[0] != AllLinear {
		t.Errorf("got %+v", r)
	}
}

func TestJSONRefuses(t *testing.T) {
	for in, want := range map[string]string{
		``:                                       "ends too early",
		`{"model": "m"`:                          "ends too early",
		`[]`:                                     "object",
		`{"model": "m"} 1`:                       "something follows",
		`{"model": "m",}`:                        "not JSON",
		`{model: 1}`:                             "not JSON",
		`{"moddel": "m"}`:                        `no setting "moddel"`,
		`{"Model": "m"}`:                         `no setting "Model"`,
		`{"batch_size": 1}`:                      `no setting "batch_size"`,
		`{"seed": 1, "seed": 2}`:                 `"seed" stands there twice`,
		`{"model": 1}`:                           "model: a string is wanted, not 1",
		`{"model": null}`:                        "model: a string is wanted, not null",
		`{"lora_rank": "8"}`:                     `lora_rank: a whole number is wanted, not "8"`,
		`{"lora_rank": 8.5}`:                     "lora_rank: a whole number",
		`{"lora_rank": 1e99}`:                    "lora_rank: a whole number",
		`{"lora_rank": null}`:                    "lora_rank: a whole number",
		`{"learning_rate": NaN}`:                 "not JSON",
		`{"learning_rate": 1e999}`:               "learning_rate: a number",
		`{"packing": "true"}`:                    "packing: true or false is wanted",
		`{"dataset": "d"}`:                       "dataset: a list of strings is wanted",
		`{"dataset": [1]}`:                       "dataset: a list of strings",
		`{"dataset": [null]}`:                    "dataset: entry 1 is null",
		`{"dataset": [""]}`:                      "empty entry",
		`{"explicit": ["seed"]}`:                 "explicit names seed, which has no value",
		`{"explicit": ["what"]}`:                 `no setting "what"`,
		`{"explicit": [], "explicit": []}`:       "twice",
		`{"` + strings.Repeat("x", 1e6) + `":1}`: "there is no setting",
	} {
		_, err := FromJSON([]byte(in))
		wantError(t, in[:min(len(in), 50)], err, want)
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
	r := Default()
	r.WeightDecay = math.NaN()
	_, err := r.ToJSON()
	wantError(t, "writing NaN", err, "weight_decay")
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"--model\nm\n--dataset\na,b", "--packing\n--seed\n1e3", "--lora-r=4\n--sft_type\nfull", "--device_memory\n1.5GB\n--use_rslora\nyes",
		"--learning_rate\n-0\n--target_modules\nALL", "--help", "x", "--=", "--lr_scheduler_type\n\xff", "--dataset\n , ",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r, err := Parse(strings.Split(line, "\n"))
		if err != nil {
			return
		}
		_ = r.Validate()
		_ = r.Hash()
		roundTrip(t, r)
	})
}

func FuzzFromJSON(f *testing.F) {
	whole, err := Default().ToJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	for _, s := range []string{`{}`, `{"model":"m","explicit":["model"]}`, `{"dataset":["a,b"],"seed":1e3}`, `{"a":[[[`, `{"packing":true}]`, `{"device_memory":-1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := FromJSON(data)
		if err != nil {
			return
		}
		_ = r.Validate()
		roundTrip(t, r)
	})
}
