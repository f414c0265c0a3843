package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// Whoever revokes the last token hears what that means.
func TestLastToken(t *testing.T) {
	dir := t.TempDir()
	token := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if status := Run(context.Background(), append(append([]string{"token"}, args...), "--data_dir", dir), &out, &errs); status != 0 {
			t.Fatalf("%v: %s", args, &errs)
		}
		return out.String()
	}
	id := func(secret string) string { return strings.Split(secret, "_")[1] }
	ada, bob := id(token("add", "--user", "ada")), id(token("add", "--user", "bob"))
	if said := token("revoke", ada); strings.Contains(said, "last one") {
		t.Error(said)
	}
	if said := token("revoke", bob); !strings.Contains(said, "it was the last one: nobody is let in until") {
		t.Error(said)
	}
}
