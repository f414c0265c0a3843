package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	corechat "hone/core/chat"
	"hone/core/generate"
	"hone/core/run"
)

func init() {
	register(command{name: "chat", args: "--model DIR [--adapter DIR] | --run latest", short: "Talk with a model, tuned or not", run: chat})
}

const chatHelp = `/adapter DIR   speak with this adapter; /adapter base is the model by itself; the conversation goes on
/system TEXT   set the system message and begin anew
/clear         begin anew
/undo          take the last question and its answer back
/save FILE     write the conversation as a row of training data (JSON Lines, messages)
/quit          end; so does Ctrl-D
Ctrl-C stops an answer, not the program.`

// conversation is what `hone chat` holds.
type conversation struct {
	e        env
	flags    speakFlags
	loaded   *run.Loaded
	voices   map[string]*run.Voice // by directory, opened when first asked for; "" is the base
	voice    *run.Voice
	system   string
	messages []corechat.Message
}

func chat(e env, args []string) error {
	s := speakFlags{options: generate.TextOptions{Options: generate.Options{MaxNewTokens: 512, Reuse: true}}}
	c := &conversation{e: e, voices: map[string]*run.Voice{}}
	signals := make(chan os.Signal, 1)
	usage := "chat --model DIR [--adapter DIR] | --run latest [flags]\n\nWithin the conversation:\n" + chatHelp
	_, help, err := e.parse(args, append(s.flags(), systemFlag(&c.system)), usage)
	if err != nil || help {
		return err
	}
	if err := s.resolve(e); err != nil {
		return err
	}
	if s.model == "" {
		return errors.New("say which model to talk with: --model DIR [--adapter DIR], or --run latest")
	}
	dev, l, err := s.load(e)
	if err != nil {
		return err
	}
	defer dev.Close()
	defer l.Close()
	c.flags, c.loaded = s, l
	defer c.closeVoices()
	if err := c.choose(s.adapter); err != nil {
		return err
	}
	c.e.ctx = context.WithoutCancel(e.ctx) // Ctrl-C ends it; from here on that stops answers only
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	return c.talk(os.Stdin, signals)
}

func (c *conversation) closeVoices() {
	for _, v := range c.voices {
		v.Close()
	}
}

// choose speaks with an adapter from now on. The base's weights stay where they are.
func (c *conversation) choose(dir string) error {
	v, ok := c.voices[dir]
	if !ok {
		var err error
		if v, err = c.loaded.Voice(c.e.ctx, dir); err != nil {
			return err
		}
		c.voices[dir] = v
	}
	c.voice = v
	return nil
}

// typed is a line that the user typed, or the end of them.
type typed struct {
	line string
	err  error
}

// read passes lines on, so that a signal is heard while the user thinks.
func read(in io.Reader, lines chan<- typed) {
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadString('\n')
		lines <- typed{strings.TrimSpace(line), err}
		if err != nil {
			return
		}
	}
}

// talk reads lines until they end.
func (c *conversation) talk(in io.Reader, signals <-chan os.Signal) error {
	prompt := ""
	if f, ok := in.(*os.File); ok && isTerminal(f) {
		prompt = "> "
		fmt.Fprintf(c.e.out, "%s; /help lists commands\n", c.who())
	}
	lines := make(chan typed)
	go read(in, lines)
	for {
		fmt.Fprint(c.e.out, prompt)
		var t typed
		select {
		case s := <-signals:
			fmt.Fprintln(c.e.out)
			if s != os.Interrupt {
				return errInterrupted
			}
			fmt.Fprintln(c.e.err, "(/quit or Ctrl-D ends the conversation)")
			continue
		case t = <-lines:
		}
		if t.line != "" {
			quit, err := c.line(t.line)
			if err != nil {
				fmt.Fprintf(c.e.err, "hone: %v\n", err)
			}
			if quit {
				return nil
			}
		}
		if t.line != "" && !strings.HasPrefix(t.line, "/") {
			select { // the signal that stopped the answer came here, too; after a command it is meant for the prompt
			case s := <-signals:
				if s != os.Interrupt {
					return errInterrupted
				}
			default:
			}
		}
		if t.err == io.EOF {
			if prompt != "" {
				fmt.Fprintln(c.e.out)
			}
			return nil
		}
		if t.err != nil {
			return t.err
		}
	}
}

// who says which model speaks.
func (c *conversation) who() string {
	if c.voice.Name == "" {
		return near(c.flags.model)
	}
	return near(c.flags.model) + " with " + near(c.voice.Name)
}

// line is one thing that the user typed.
func (c *conversation) line(line string) (quit bool, err error) {
	if !strings.HasPrefix(line, "/") {
		return false, c.ask(line)
	}
	command, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch command {
	case "/quit", "/exit":
		return true, nil
	case "/help":
		fmt.Fprintln(c.e.out, chatHelp)
	case "/clear":
		c.messages = nil
	case "/system":
		c.system, c.messages = rest, nil
	case "/undo":
		c.messages = c.messages[:max(0, len(c.messages)-2)]
	case "/adapter":
		return false, c.adapter(rest)
	case "/save":
		return false, c.save(rest)
	default:
		return false, fmt.Errorf("there is no command %s; /help lists them", command)
	}
	return false, nil
}

func (c *conversation) adapter(name string) error {
	switch name {
	case "":
		fmt.Fprintln(c.e.out, c.who())
		return nil
	case "base":
		name = ""
	default:
		dir, err := run.AdapterDir(c.e.ctx, name, nil)
		if err != nil {
			return err
		}
		name = dir
	}
	if err := c.choose(name); err != nil {
		return err
	}
	fmt.Fprintln(c.e.out, c.who())
	return nil
}

// whole is the conversation with its system message.
func (c *conversation) whole() []corechat.Message {
	if c.system == "" {
		return c.messages
	}
	return append([]corechat.Message{{Role: "system", Content: c.system}}, c.messages...)
}

// ask puts a question and streams the answer. Ctrl-C stops the answer, not the program.
func (c *conversation) ask(question string) error {
	ctx, stop := signal.NotifyContext(c.e.ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	c.messages = append(c.messages, corechat.Message{Role: "user", Content: question})
	wrote := false
	a, err := c.voice.Answer(ctx, c.whole(), c.flags.options, func(text string) {
		if !wrote {
			text = strings.TrimLeft(text, " \n")
		}
		wrote = wrote || text != ""
		fmt.Fprint(c.e.out, text)
	})
	if wrote || err == nil {
		fmt.Fprintln(c.e.out)
	}
	switch {
	case errors.Is(err, context.Canceled) && a.Text != "":
		fmt.Fprintln(c.e.err, "(stopped)")
	case err != nil:
		c.messages = c.messages[:len(c.messages)-1]
		switch {
		case errors.Is(err, context.Canceled):
			return nil
		case errors.Is(err, run.ErrTooLong):
			return fmt.Errorf("%w; /undo takes the last question and answer back, /clear begins anew", err)
		}
		return err
	case a.Ending == generate.EndLength:
		fmt.Fprintf(c.e.err, "(cut off after %d tokens; --max_new_tokens allows more)\n", len(a.IDs))
	case a.Ending == generate.EndFull:
		fmt.Fprintln(c.e.err, "(cut off: the conversation is as long as the model can read; /clear begins anew)")
	}
	c.messages = append(c.messages, corechat.Message{Role: "assistant", Content: strings.TrimSpace(a.Text)})
	return nil
}

// save appends the conversation to a file as a row that `hone sft` reads.
func (c *conversation) save(path string) error {
	if path == "" {
		return errors.New("say where to: /save FILE")
	}
	if len(c.messages) == 0 {
		return errors.New("there is nothing to save yet")
	}
	row, err := json.Marshal(map[string]any{"messages": plainMessages(c.whole())})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(append(row, '\n')); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	fmt.Fprintf(c.e.out, "%d messages appended to %s\n", len(c.whole()), path)
	return nil
}
