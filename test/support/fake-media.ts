// MediaPort without media workers: jobs start and stay `starting` until a test moves them.
import type { JobId } from '#core/ids.ts';
import { Job } from '#core/job.ts';
import type { MediaPort, MediaWorkerInfo, StartJobOptions } from '#core/ports.ts';

export class FakeMedia implements MediaPort {
  readonly jobs = new Map<JobId, Job>();
  readonly started: StartJobOptions[] = [];

  async startJob(options: StartJobOptions): Promise<Job> {
    this.started.push(options);
    const job = new Job(options.spec, { costMsPerS: 40 });
    this.jobs.set(job.id, job);
    void job.done.then(() => this.jobs.delete(job.id));
    return job;
  }

  relinkJob(): Promise<void> {
    return Promise.resolve();
  }

  describeWorkers(): readonly MediaWorkerInfo[] {
    return [];
  }

  problems(): readonly string[] {
    return [];
  }
}
