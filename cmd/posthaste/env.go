package main

import (
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"posthaste/config"
)

// environment fills flags that are not given from the variables of their env
// tag. Kong would read the process's environment itself; this reads what main
// passed in, so that a test is not changed by the shell it runs in. An empty
// variable counts as absent, because Compose files pass those on. A variable
// that cannot be read is added to problems, and all are reported together.
func environment(lookup func(string) (string, bool), problems *[]config.Problem) kong.Option {
	variables := map[*kong.Flag]string{}
	return kong.OptionFunc(func(k *kong.Kong) error {
		collect := kong.PostBuild(func(k *kong.Kong) error {
			takeVariables(k.Model.Node, variables)
			return nil
		})
		if err := collect.Apply(k); err != nil {
			return err
		}
		resolve := kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
			variable, ok := variables[flag]
			if !ok {
				return nil, nil
			}
			text, _ := lookup(variable)
			if text = strings.TrimSpace(text); text == "" {
				return nil, nil
			}
			if problem := config.CheckNumber(variable, text, flag.Target.Kind()); problem != nil {
				*problems = append(*problems, *problem)
				return nil, nil
			}
			if flag.Target.Kind() == reflect.Bool {
				text = strings.ToLower(text)
			}
			return text, nil
		})
		return kong.Resolvers(resolve).Apply(k)
	})
}

// takeVariables moves the variables out of the flags, where Kong would act on
// them, and into their help.
func takeVariables(node *kong.Node, variables map[*kong.Flag]string) {
	for _, flag := range node.Flags {
		if len(flag.Tag.Envs) == 0 {
			continue
		}
		variable := flag.Tag.Envs[0]
		variables[flag] = variable
		flag.Tag.Envs, flag.Envs = nil, nil
		flag.Help = strings.TrimSuffix(flag.Help, ".") + " ($" + variable + ")."
	}
	for _, child := range node.Children {
		takeVariables(child, variables)
	}
}
