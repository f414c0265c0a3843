package auth

import "testing"

// What an administrator says counts before what tokens say, for users with and without one, also for who has opened the file before.
func TestQuotas(t *testing.T) {
	dir := t.TempDir()
	server, err := OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := OpenTokens(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := tokens.Add("ada", Run, 5); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		user      string
		set, want int64
	}{{"ada", 0, 5}, {"ada", 3, 3}, {"ada", 7, 7}, {"ada", 0, 5}, {"local", 4, 4}, {"local", 0, 0}} {
		if err := tokens.SetQuota(c.user, Quota{Bytes: c.set}); err != nil {
			t.Fatal(err)
		}
		if got := server.Quota(c.user); got != c.want {
			t.Errorf("after %d is set, %s may keep %d, want %d", c.set, c.user, got, c.want)
		}
	}
	if err := tokens.SetQuota("../ada", Quota{Bytes: 1}); err == nil {
		t.Error("a quota of ../ada")
	}
	if err := tokens.SetQuota("ada", Quota{Bytes: -1}); err == nil {
		t.Error("a quota below 0")
	}
}
