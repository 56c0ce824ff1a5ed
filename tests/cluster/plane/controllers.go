// SPDX-License-Identifier: Apache-2.0

package plane

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// startControllers starts the controller manager and the scheduler, as far as
// the plane has them.
func (p *Plane) startControllers(ctx context.Context) error {
	if !p.opts.NoControllerManager {
		if err := p.startControllerManager(ctx); err != nil {
			return err
		}
	}
	if p.opts.Scheduler {
		return p.startScheduler()
	}
	return nil
}

func (p *Plane) controllerFlags(config string) []string {
	flags := []string{
		"--kubeconfig=" + config,
		"--authentication-kubeconfig=" + config,
		"--authorization-kubeconfig=" + config,
		"--secure-port=0",
		"--leader-elect=false",
		"--controllers=*,bootstrap-signer-controller,token-cleaner-controller",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + p.file("pki", "sa.key"),
		"--root-ca-file=" + p.CAFile(),
		"--cluster-signing-cert-file=" + p.CAFile(),
		"--cluster-signing-key-file=" + p.file("pki", "ca.key"),
		"--node-monitor-period=1s",
		"--node-monitor-grace-period=" + p.opts.NodeMonitorGrace.String(),
		"--node-startup-grace-period=" + (p.opts.NodeMonitorGrace + 4*time.Second).String(),
		// The default of 20 a second makes the start 4 s longer.
		"--kube-api-qps=1000",
		"--kube-api-burst=1000",
		// It makes this folder, by default a place of the whole machine.
		"--flex-volume-plugin-dir=" + p.file("flexvolume"),
		"--profiling=false",
	}
	return append(flags, p.opts.ControllerManagerArgs...)
}

func (p *Plane) startControllerManager(ctx context.Context) error {
	if p.controllers.running() {
		return nil
	}
	p.progress("starting the controller manager")
	config, err := p.componentKubeconfig("controller-manager", "system:kube-controller-manager")
	if err != nil {
		return err
	}
	c, err := p.spawn("controller-manager", nil, p.controllerFlags(config)...)
	if err != nil {
		return err
	}
	p.controllers = c
	return p.waitFor(ctx, c, p.controllersReady)
}

// controllersReady looks for a controller's first work, without which no pod
// can be made.
func (p *Plane) controllersReady(ctx context.Context) error {
	_, err := p.client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
	return err
}

// StartControllerManager starts it after StopControllerManager.
func (p *Plane) StartControllerManager(ctx context.Context) error {
	p.steps.Lock()
	defer p.steps.Unlock()
	return p.startControllerManager(ctx)
}

// StopControllerManager ends the controller manager: nobody judges nodes then.
func (p *Plane) StopControllerManager() {
	p.steps.Lock()
	defer p.steps.Unlock()
	p.controllers.stop(0)
}

func (p *Plane) startScheduler() error {
	if p.scheduling.running() {
		return nil
	}
	p.progress("starting the scheduler")
	config, err := p.componentKubeconfig("scheduler", "system:kube-scheduler")
	if err != nil {
		return err
	}
	p.scheduling, err = p.spawn("scheduler", nil,
		"--kubeconfig="+config,
		"--authentication-kubeconfig="+config,
		"--authorization-kubeconfig="+config,
		"--secure-port=0",
		"--leader-elect=false",
	)
	return err
}
