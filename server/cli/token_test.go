package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"hone/core/run"
	"hone/server/auth"
)

// What an administrator lets a user keep is listed with the tokens; whoever revokes the last one hears what that means.
func TestTokenCommand(t *testing.T) {
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
	if said := token("add", "--user", "eve", "--quota", "5GiB"); !strings.HasPrefix(said, "hone_") {
		t.Error(said)
	}
	tokens, err := auth.OpenTokens(dir)
	if err == nil {
		err = tokens.SetQuota("eve", auth.Quota{Bytes: 3 << 30})
	}
	if err != nil {
		t.Fatal(err)
	}
	if said := token("list"); !strings.Contains(said, run.Size(3<<30)) || strings.Contains(said, run.Size(5<<30)) {
		t.Errorf("what an administrator has said is not listed: %s", said)
	}
	list, err := tokens.List()
	if err == nil {
		err = tokens.Revoke(list[0].ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	ada, bob := id(token("add", "--user", "ada")), id(token("add", "--user", "bob"))
	if said := token("revoke", ada); strings.Contains(said, "last one") {
		t.Error(said)
	}
	if said := token("revoke", bob); !strings.Contains(said, "it was the last one: nobody is let in until") {
		t.Error(said)
	}
}
