package tokenizer

import (
	"maps"
	"slices"
)

// trie finds the keys that stand in front of a text. The children of a node lie side by side, ordered by their byte.
type trie struct {
	nodes []trieNode
	begin [256]bool // bytes that some key begins with
}

type trieNode struct {
	first uint32 // the first child
	count uint16
	label byte
	value int32 // of the key that ends here, -1 where none does
}

// newTrie holds each key with its value, which is not negative. An empty key is left out.
func newTrie(values map[string]int32) *trie {
	keys := slices.Sorted(maps.Keys(values))
	if len(keys) > 0 && keys[0] == "" {
		keys = keys[1:]
	}
	t := &trie{nodes: []trieNode{{value: -1}}}
	type job struct{ node, from, to, depth int }
	for queue := []job{{0, 0, len(keys), 0}}; len(queue) > 0; {
		j := queue[0]
		queue = queue[1:]
		if j.from < j.to && len(keys[j.from]) == j.depth {
			t.nodes[j.node].value = values[keys[j.from]]
			j.from++
		}
		t.nodes[j.node].first = uint32(len(t.nodes))
		for j.from < j.to {
			label, end := keys[j.from][j.depth], j.from+1
			for end < j.to && keys[end][j.depth] == label {
				end++
			}
			queue = append(queue, job{len(t.nodes), j.from, end, j.depth + 1})
			t.nodes[j.node].count++
			t.nodes = append(t.nodes, trieNode{label: label, value: -1})
			if j.depth == 0 {
				t.begin[label] = true
			}
			j.from = end
		}
	}
	return t
}

// step goes from a node along a byte; 0, the root, means that no key goes on so.
func (t *trie) step(node uint32, b byte) uint32 {
	n := &t.nodes[node]
	low, high := n.first, n.first+uint32(n.count)
	for low < high {
		middle := (low + high) / 2
		switch label := t.nodes[middle].label; {
		case label == b:
			return middle
		case label < b:
			low = middle + 1
		default:
			high = middle
		}
	}
	return 0
}

// longest finds the longest key in front of text; its length is 0 where there is none.
func (t *trie) longest(text string) (value int32, length int) {
	value = -1
	if text == "" || !t.begin[text[0]] {
		return value, 0
	}
	node := uint32(0)
	for i := range len(text) {
		if node = t.step(node, text[i]); node == 0 {
			break
		}
		if v := t.nodes[node].value; v >= 0 {
			value, length = v, i+1
		}
	}
	return value, length
}
