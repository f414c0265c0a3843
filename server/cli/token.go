package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"hone/core/recipe"
	"hone/core/run"
	"hone/server/auth"
)

func init() {
	register(command{name: "token", args: "add|list|revoke [flags]", short: "Who may use this machine's server: tokens with a user and a scope", run: token})
}

// defaultDataDir is where a server keeps what is entrusted to it.
func defaultDataDir() string {
	if dir := os.Getenv("HONE_DATA"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "hone")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "hone-data"
	}
	return filepath.Join(home, ".local", "share", "hone")
}

// dataDirFlag is the same for all commands of a server.
func dataDirFlag(dir *string) recipe.Flag {
	return recipe.Flag{Name: "data_dir", Value: "DIR", Default: near(defaultDataDir()), Help: "what the server keeps: tokens, jobs, runs, files; HONE_DATA names another default", Set: text(dir)}
}

func token(e env, args []string) error {
	const usage = "token add --user NAME [--scope view|run|admin] [--quota SIZE]\n       hone token list\n       hone token revoke ID"
	dir, user, scope := defaultDataDir(), "", string(auth.Run)
	var quota recipe.Bytes
	rest, help, err := e.parse(args, []recipe.Flag{
		{Name: "user", Value: "NAME", Help: "whose token it is; what a user owns is that user's alone", Set: text(&user)},
		{Name: "scope", Value: "SCOPE", Default: scope, Help: "view: look at own runs; run: start and steer them; admin: everything", Set: text(&scope)},
		{Name: "quota", Value: "SIZE", Default: "that of the server", Help: "what the user may keep on the server, such as 5GiB; of several tokens of a user the largest counts", Set: bytesFlag(&quota)},
		dataDirFlag(&dir),
	}, usage+"\n\nWith its first token a server asks everybody for one, and goes on asking when the last one is revoked.")
	if err != nil || help {
		return err
	}
	tokens, err := auth.OpenTokens(dir)
	if err != nil {
		return err
	}
	switch {
	case len(rest) == 1 && rest[0] == "add":
		if user == "" {
			return errors.New("token add: --user is missing: whose token is it?")
		}
		s, err := auth.ParseScope(scope)
		if err != nil {
			return err
		}
		made, secret, err := tokens.Add(user, s, int64(quota))
		if err != nil {
			return err
		}
		fmt.Fprintf(e.err, "token %s of %s, scope %s. It is shown this once; keep it like a password:\n", made.ID, made.User, made.Scope)
		fmt.Fprintln(e.out, secret)
		return nil
	case len(rest) == 1 && rest[0] == "list":
		list, err := tokens.List()
		if err != nil {
			return err
		}
		said, err := tokens.Quotas()
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tUSER\tSCOPE\tQUOTA\tMADE\tLAST USED")
		for _, k := range list {
			used := "never"
			if !k.LastUsed.IsZero() {
				used = k.LastUsed.Format(time.DateTime)
			}
			if k.Revoked {
				used = "revoked"
			}
			quota := "the server's"
			if n := cmp.Or(said[k.User].Bytes, k.Quota); n > 0 { // what the panel says counts first
				quota = run.Size(n)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.User, k.Scope, quota, k.Created.Format(time.DateTime), used)
		}
		return w.Flush()
	case len(rest) == 2 && rest[0] == "revoke":
		if err := tokens.Revoke(rest[1]); err != nil {
			return err
		}
		fmt.Fprintf(e.out, "token %s is not valid any more\n", rest[1])
		if left, err := tokens.Valid(); err != nil || left > 0 {
			return err
		}
		fmt.Fprintf(e.out, "it was the last one: nobody is let in until `%s token add` makes another. Without tokens.json in %s the server is as new,\nand one on 127.0.0.1 is open to everybody on this machine\n", self(), near(dir))
		return nil
	}
	return errors.New("usage: hone " + usage)
}
