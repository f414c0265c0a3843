package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// AdapterConfig is PEFT's adapter_config.json for LoRA. Members that Hone does not use are kept and written again.
type AdapterConfig struct {
	BaseModel     string   // base_model_name_or_path
	Rank          int      // r
	Alpha         float64  // lora_alpha
	Dropout       float64  // lora_dropout
	RSLoRA        bool     // use_rslora
	FanInFanOut   bool     // fan_in_fan_out: the base stores its weights [in, out]; A and B keep their shapes
	Targets       []string // target_modules as a list: last parts of module names
	TargetPattern string   // target_modules as one string: all-linear, or a regular expression for whole module names

	Template string // name of the chat template that it was trained with; it stands in the header of the tensors, where PEFT does not mind it

	varies  variation                  // what single modules have
	members map[string]json.RawMessage // the file's own
}

// NewAdapterConfig is a configuration that PEFT reads, of old and new versions alike.
func NewAdapterConfig(base string, rank int, alpha, dropout float64, rslora bool, targets []string) AdapterConfig {
	return AdapterConfig{BaseModel: base, Rank: rank, Alpha: alpha, Dropout: dropout, RSLoRA: rslora, Targets: slices.Clone(targets)}
}

// common are the members of LoraConfig that all versions of PEFT know, at their defaults.
var common = map[string]string{
	"alpha_pattern": `{}`, "auto_mapping": `null`, "bias": `"none"`, "inference_mode": `true`, "init_lora_weights": `true`,
	"layers_pattern": `null`, "layers_to_transform": `null`, "loftq_config": `{}`, "megatron_config": `null`,
	"megatron_core": `"megatron.core"`, "modules_to_save": `null`, "peft_type": `"LORA"`, "rank_pattern": `{}`, "revision": `null`,
	"task_type": `"CAUSAL_LM"`,
}

// ParseAdapterConfig reads adapter_config.json. A setting that changes what the adapter computes and that Hone does not have is
// an error: loading the adapter without it would give another model in silence.
func ParseAdapterConfig(data []byte) (AdapterConfig, error) {
	var c AdapterConfig
	if err := json.Unmarshal(data, &c.members); err != nil {
		return c, fmt.Errorf("not a JSON object: %w", err)
	}
	if c.members == nil {
		return c, errors.New("it is null, not a JSON object")
	}
	if err := c.refuse(); err != nil {
		return c, err
	}
	if err := c.read(); err != nil {
		return c, err
	}
	if err := c.readVariation(); err != nil {
		return c, err
	}
	switch {
	case c.Rank < 1 || c.Rank > 1<<20:
		return c, fmt.Errorf("r is %d; it must be at least 1", c.Rank)
	case math.IsInf(c.Alpha, 0) || c.Alpha == 0:
		return c, fmt.Errorf("lora_alpha is %v; with it the adapter would do nothing", c.Alpha)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return c, fmt.Errorf("lora_dropout is %v; it must be at least 0 and below 1", c.Dropout)
	case len(c.Targets) == 0 && c.TargetPattern == "":
		return c, errors.New("target_modules names no module")
	case slices.Contains(c.Targets, ""):
		return c, errors.New("target_modules has an empty name")
	}
	return c, nil
}

func (c *AdapterConfig) read() error {
	rank := 0.0
	for _, m := range []struct {
		name string
		into any
		must bool
	}{
		{"base_model_name_or_path", &c.BaseModel, false},
		{"r", &rank, true},
		{"lora_alpha", &c.Alpha, true},
		{"lora_dropout", &c.Dropout, false},
		{"use_rslora", &c.RSLoRA, false},
		{"fan_in_fan_out", &c.FanInFanOut, false},
	} {
		raw := c.members[m.name]
		if empty(raw) {
			if m.must {
				return fmt.Errorf("%s is missing", m.name)
			}
			continue
		}
		if err := json.Unmarshal(raw, m.into); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if c.Rank = int(rank); float64(c.Rank) != rank {
		return fmt.Errorf("r is %v; it must be a whole number", rank)
	}
	raw := c.members["target_modules"]
	if json.Unmarshal(raw, &c.TargetPattern) == nil {
		return nil
	}
	if err := json.Unmarshal(raw, &c.Targets); err != nil {
		return errors.New("target_modules must be a list of names or one string")
	}
	return nil
}

// empty reports whether a member says nothing: absent, null, false, an empty list, object or string.
func empty(raw json.RawMessage) bool {
	switch strings.Join(strings.Fields(string(raw[:min(len(raw), 64)])), "") {
	case "", "null", "false", "[]", "{}", `""`:
		return true
	}
	return false
}

// unsupported gives for each member that alters what the adapter computes what it stands for.
var unsupported = []struct{ name, what string }{
	{"use_dora", "DoRA's magnitudes"},
	{"use_qalora", "QA-LoRA's pooled inputs"},
	{"use_bdlora", "block-diagonal LoRA"},
	{"lora_bias", "a bias in the adapter's B"},
	{"layer_replication", "replicated layers"},
	{"modules_to_save", "whole modules that were trained beside the adapter"},
	{"target_parameters", "adapters on bare parameters"},
	{"trainable_token_indices", "single token embeddings that were trained"},
	{"megatron_config", "Megatron's parallel layers"},
	{"alora_invocation_tokens", "activated LoRA"},
	{"arrow_config", "Arrow's routing between adapters"},
}

func (c *AdapterConfig) refuse() error {
	text := func(name string) string {
		var s string
		_ = json.Unmarshal(c.members[name], &s) // another type is no known text either
		return s
	}
	if kind := text("peft_type"); kind != "LORA" {
		return fmt.Errorf("peft_type is %.100q; only LORA adapters can be read", kind)
	}
	if task := c.members["task_type"]; !empty(task) && text("task_type") != "CAUSAL_LM" {
		return fmt.Errorf("task_type is %.100s; only adapters of language models (CAUSAL_LM) can be read", task)
	}
	if bias := c.members["bias"]; !empty(bias) && text("bias") != "none" {
		return fmt.Errorf("bias is %.100s: the adapter was trained together with biases of the model, which is not supported; train one with bias none", bias)
	}
	for _, u := range unsupported {
		if raw := c.members[u.name]; !empty(raw) {
			return fmt.Errorf("%s is %s: the adapter uses %s, which is not supported; merge it into its base model with PEFT and start from that", u.name, clip(raw), u.what)
		}
	}
	// These ways to begin also changed the base model's weights; the adapter is wrong on the published ones.
	if how := text("init_lora_weights"); how != "" && !slices.Contains([]string{"gaussian", "eva", "orthogonal"}, how) {
		return fmt.Errorf("init_lora_weights is %.100q, which changes the base model's weights as well; convert the adapter with PEFT (path_initial_model_for_weight_conversion) first", how)
	}
	for _, name := range slices.Sorted(maps.Keys(c.members)) {
		if strings.HasPrefix(name, "use_") && name != "use_rslora" && !empty(c.members[name]) {
			return fmt.Errorf("%.100s is %s, which this program does not know; it may change what the adapter computes", name, clip(c.members[name]))
		}
	}
	return nil
}

func clip(raw json.RawMessage) string {
	if len(raw) > 60 {
		return strings.ToValidUTF8(string(raw[:60]), "") + "…"
	}
	return string(raw)
}

// MarshalJSON writes the members sorted by name, those of the file the configuration was read from included.
func (c AdapterConfig) MarshalJSON() ([]byte, error) {
	out := map[string]json.RawMessage{}
	if c.members == nil {
		for name, v := range common {
			out[name] = json.RawMessage(v)
		}
	}
	maps.Copy(out, c.members)
	base, targets := any(nil), any(c.Targets)
	if c.BaseModel != "" {
		base = c.BaseModel
	}
	if c.TargetPattern != "" {
		targets = c.TargetPattern
	}
	for name, v := range map[string]any{
		"base_model_name_or_path": base, "r": c.Rank, "lora_alpha": c.Alpha, "lora_dropout": c.Dropout,
		"use_rslora": c.RSLoRA, "fan_in_fan_out": c.FanInFanOut, "target_modules": targets,
	} {
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if name == "lora_dropout" && !bytes.ContainsAny(raw, ".e") {
			raw = append(raw, ".0"...) // a float in PEFT
		}
		out[name] = raw
	}
	return json.Marshal(out)
}

// Covers reports whether the configuration puts an adapter on the module of this name, as far as that can be said from the
// name: a list as PEFT reads it, a pattern where it is a regular expression in Go too. In doubt it does.
func (c AdapterConfig) Covers(module string) bool {
	if c.varies.excludes(module) {
		return false
	}
	if c.TargetPattern == "" {
		return slices.ContainsFunc(c.Targets, func(t string) bool { return module == t || strings.HasSuffix(module, "."+t) })
	}
	if c.TargetPattern == "all-linear" {
		return true
	}
	if len(c.TargetPattern) > maxPattern {
		return true
	}
	re, err := regexp.Compile(`\A(?:` + c.TargetPattern + `)\z`)
	return err != nil || re.MatchString(module)
}

// Scale is the factor of the adapter's output: alpha/r, or alpha/sqrt(r) with rsLoRA (Kalajdzievski, 2023).
func (c AdapterConfig) Scale() float64 {
	if c.RSLoRA {
		return c.Alpha / math.Sqrt(float64(c.Rank))
	}
	return c.Alpha / float64(c.Rank)
}

func (c AdapterConfig) String() string {
	return "LoRA r=" + strconv.Itoa(c.Rank) + " alpha=" + strconv.FormatFloat(c.Alpha, 'g', -1, 64)
}
