package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Settings of LoraConfig by which modules differ: which are adapted beyond their names, and with what rank and alpha.
// They are read as PEFT reads them (check_target_module_exists and get_pattern_key of its tuners_utils and other.py).

// variation is what an adapter_config.json says of single modules.
type variation struct {
	ranks, alphas []exception
	layers        []int            // adapted, by number; nil is all
	layerNames    []*regexp.Regexp // where the number stands in a name
	excluded      []string         // names, or last parts of them
	excludedBy    *regexp.Regexp   // or the whole name
}

// exception is one member of rank_pattern or alpha_pattern.
type exception struct {
	name  *regexp.Regexp
	value float64
}

// maxPattern bounds what is compiled as a regular expression.
const maxPattern = 4096

func compile(member, format, pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("%s has a pattern of %d characters; at most %d are read", member, len(pattern), maxPattern)
	}
	re, err := regexp.Compile(fmt.Sprintf(format, pattern))
	if err != nil {
		return nil, fmt.Errorf("%s has the pattern %.100q, which is no regular expression of Go: %w", member, pattern, err)
	}
	return re, nil
}

func (c *AdapterConfig) readVariation() (err error) {
	v := &c.varies
	if v.ranks, err = c.exceptions("rank_pattern"); err != nil {
		return err
	}
	for _, e := range v.ranks {
		if e.value < 1 || e.value > 1<<20 || e.value != math.Trunc(e.value) {
			return fmt.Errorf("rank_pattern has the rank %v; it must be a whole number of at least 1", e.value)
		}
	}
	if v.alphas, err = c.exceptions("alpha_pattern"); err != nil {
		return err
	}
	for _, e := range v.alphas {
		if e.value == 0 || math.IsInf(e.value, 0) {
			return fmt.Errorf("alpha_pattern has %v; with it the adapter would do nothing", e.value)
		}
	}
	if err := c.readLayers(); err != nil {
		return err
	}
	raw := c.members["exclude_modules"]
	if empty(raw) {
		return nil
	}
	var pattern string
	if json.Unmarshal(raw, &pattern) == nil {
		v.excludedBy, err = compile("exclude_modules", `\A(?:%s)\z`, pattern)
		return err
	}
	if json.Unmarshal(raw, &v.excluded) != nil {
		return errors.New("exclude_modules must be a list of names or one string")
	}
	return nil
}

// readLayers reads layers_to_transform, a number or a list, and layers_pattern, a name or a list.
func (c *AdapterConfig) readLayers() error {
	raw, names := c.members["layers_to_transform"], c.members["layers_pattern"]
	if empty(raw) {
		if !empty(names) {
			return errors.New("layers_pattern goes with layers_to_transform, which is not set")
		}
		return nil
	}
	v := &c.varies
	var one int
	if json.Unmarshal(raw, &one) == nil {
		v.layers = []int{one}
	} else if json.Unmarshal(raw, &v.layers) != nil {
		return errors.New("layers_to_transform must be a number or a list of numbers")
	}
	if c.TargetPattern != "" {
		return errors.New("layers_to_transform goes with target_modules as a list, not as one string")
	}
	patterns := []string{`[^.]*`}
	if !empty(names) {
		patterns = []string{""}
		if json.Unmarshal(names, &patterns[0]) != nil {
			if patterns = nil; json.Unmarshal(names, &patterns) != nil {
				return errors.New("layers_pattern must be a name or a list of names")
			}
		}
	}
	for _, p := range patterns {
		re, err := compile("layers_pattern", `\A.*\.(?:%s)\.(\d+)\.`, p)
		if err != nil {
			return err
		}
		v.layerNames = append(v.layerNames, re)
	}
	return nil
}

// exceptions reads an object of numbers in the order of the file: the first name that fits counts.
func (c *AdapterConfig) exceptions(member string) (list []exception, err error) {
	raw := c.members[member]
	if empty(raw) {
		return nil, nil
	}
	wrong := fmt.Errorf("%s must be an object of numbers", member)
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, wrong
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, wrong
		}
		var e exception
		if e.name, err = compile(member, `\A(?:.*\.)?(?:%s)\z`, key.(string)); err != nil {
			return nil, err
		}
		if err := dec.Decode(&e.value); err != nil {
			return nil, wrong
		}
		list = append(list, e)
	}
	return list, nil
}

// excludes reports whether a module that the targets name is left out all the same.
func (v *variation) excludes(module string) bool {
	if v.excludedBy != nil && v.excludedBy.MatchString(module) || slices.ContainsFunc(v.excluded, func(e string) bool {
		return module == e || strings.HasSuffix(module, "."+e)
	}) {
		return true
	}
	if v.layers == nil {
		return false
	}
	for _, re := range v.layerNames {
		if m := re.FindStringSubmatch(module); m != nil {
			n, err := strconv.Atoi(m[1])
			return err != nil || !slices.Contains(v.layers, n)
		}
	}
	return true // it belongs to no layer
}

func find(list []exception, module string) (float64, bool) {
	for _, e := range list {
		if e.name.MatchString(module) {
			return e.value, true
		}
	}
	return 0, false
}

// Restricted reports whether modules that target_modules names may be left out.
func (c *AdapterConfig) Restricted() bool {
	v := &c.varies
	return v.layers != nil || v.excluded != nil || v.excludedBy != nil
}

// RankOf is the rank of a module's adapter: r, or what rank_pattern has for it.
func (c *AdapterConfig) RankOf(module string) int {
	if r, ok := find(c.varies.ranks, module); ok {
		return int(r)
	}
	return c.Rank
}

// AlphaOf is the alpha of a module's adapter: lora_alpha, or what alpha_pattern has for it.
func (c *AdapterConfig) AlphaOf(module string) float64 {
	if a, ok := find(c.varies.alphas, module); ok {
		return a
	}
	return c.Alpha
}

// ScaleOf is the factor of a module's adapter: alpha/r, or alpha/sqrt(r) with rsLoRA (Kalajdzievski, 2023).
func (c *AdapterConfig) ScaleOf(module string) float64 {
	if c.RSLoRA {
		return c.AlphaOf(module) / math.Sqrt(float64(c.RankOf(module)))
	}
	return c.AlphaOf(module) / float64(c.RankOf(module))
}
