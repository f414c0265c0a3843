// Hone fine-tunes small language models where the data is.
package main

import (
	"os"

	"hone/server/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
