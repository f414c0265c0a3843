package tokenizer

import (
	"fmt"
	"math/rand"
	"slices"
	"sync"
	"testing"
)

// Many goroutines share a tokenizer; words that take each other's place in the cache stay right.
func TestSharedCache(t *testing.T) {
	trained := trainBilingual(t, 340)
	shared, err := trained.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	// All words have one and the same place.
	cache := shared.model.(*bpe).cache
	cache.places = cache.places[:1]
	var texts []string
	r := rand.New(rand.NewSource(4))
	for range 500 {
		texts = append(texts, fmt.Sprintf("%s %d the %s", bilingual[r.Intn(len(bilingual))], r.Intn(1000), string(rune('a'+r.Intn(26)))))
	}
	want := make([][]int32, len(texts))
	for i, text := range texts {
		fresh := shared.model.(*bpe).mergeWord // nothing remembered
		want[i] = fresh(shared.normalizer.normalize(text), nil)
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i, text := range texts {
				if got := shared.EncodeText(text); !slices.Equal(got, want[i]) {
					t.Errorf("%q: %v, want %v", text, got, want[i])
					return
				}
			}
		})
	}
	wait.Wait()
}
