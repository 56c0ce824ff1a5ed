// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	_ "time/tzdata" // CronJob time zones must work on a box without tzdata

	"github.com/spf13/cobra"
	etcdutlcmd "go.etcd.io/etcd/etcdutl/v3/etcdutl"
	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/component-base/version"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	apiserverapp "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanagerapp "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	schedulerapp "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// The commands below read os.Args themselves, some of them before their flags
// are parsed, so the subcommand's name has to stand in os.Args[0].
func takeArgs(name string, args []string) {
	os.Args = append([]string{name}, args...)
}

func runCobra(name string, args []string, command *cobra.Command) int {
	takeArgs(name, args)
	return cli.Run(command)
}

func etcd(args []string) int {
	takeArgs("etcd", args)
	etcdmain.Main(os.Args)
	return 0
}

func etcdutl(args []string) int {
	takeArgs("etcdutl", args)
	root := &cobra.Command{Use: "etcdutl", SilenceUsage: true}
	root.PersistentFlags().StringVarP(&etcdutlcmd.OutputFormat, "write-out", "w", "simple", "output format")
	root.AddCommand(etcdutlcmd.NewSnapshotCommand(), etcdutlcmd.NewHashKVCommand(), etcdutlcmd.NewDefragCommand())
	if err := root.Execute(); err != nil {
		return 1
	}
	return 0
}

func apiserver(args []string) int {
	if err := limitTLS(os.Getenv(tlsMaxEnv)); err != nil {
		fmt.Fprintln(os.Stderr, "kubemote-cluster:", err)
		return 1
	}
	return runCobra("kube-apiserver", args, apiserverapp.NewAPIServerCommand())
}

func controllerManager(args []string) int {
	return runCobra("kube-controller-manager", args, controllermanagerapp.NewControllerManagerCommand())
}

func scheduler(args []string) int {
	return runCobra("kube-scheduler", args, schedulerapp.NewSchedulerCommand())
}

func kubectl(args []string) int {
	takeArgs("kubectl", args)
	// The level must stand before the command is built: plugins and kuberc
	// files are read while it is built.
	_, _ = logs.GlogSetter(kubectlcmd.GetLogVerbosity(os.Args))
	err := cli.RunNoErrOutput(kubectlcmd.NewDefaultKubectlCommand())
	if err != nil {
		cmdutil.CheckErr(err)
	}
	return 0
}

func printVersion([]string) int {
	fmt.Println(version.Get().GitVersion)
	return 0
}
