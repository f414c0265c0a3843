package data

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Spec is one entry of a list of data sets.
type Spec struct {
	Name   string   // as the user wrote it
	Files  []string // what it stands for
	Sample int      // rows to take; 0: all; more than there are: rows repeat, as in ms-swift
}

// ParseSpec reads an entry as ms-swift writes it: a name, or name#500 to take 500 rows of it. A file whose name ends so is
// taken as it is.
func ParseSpec(s string) (name string, sample int, err error) {
	at := strings.LastIndexByte(s, '#')
	if at < 0 {
		return s, 0, nil
	}
	if _, err := os.Stat(s); err == nil {
		return s, 0, nil
	}
	n, err := strconv.ParseInt(s[at+1:], 10, 32)
	if err != nil || n < 1 || at == 0 {
		return "", 0, fmt.Errorf("%s: behind # stands the number of rows to take, such as %s#500", s, s[:at])
	}
	return s[:at], int(n), nil
}
