import assert from 'node:assert/strict';
import { Deployment } from 'kubernetes-models/apps/v1';
import { Job } from 'kubernetes-models/batch/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { ConfigMap, PersistentVolumeClaim, Service } from 'kubernetes-models/v1';
import { parseAllDocuments } from 'yaml';

/** The schemas of the Kubernetes API (OpenAPI), for each kind that is rendered. */
const MODELS = { ConfigMap, Deployment, Job, NetworkPolicy, PersistentVolumeClaim, Service };

export interface KubernetesObject {
  readonly kind: keyof typeof MODELS;
  readonly metadata: { readonly name: string };
}

/** The objects of a rendered file. */
export function objectsOf(text: string): readonly (KubernetesObject & Readonly<Record<string, unknown>>)[] {
  return parseAllDocuments(text, { schema: 'yaml-1.1' }).map((document) => document.toJS());
}

/** That the API would take it, as far as its schema tells. */
export function assertValid(object: KubernetesObject): void {
  assert.ok(MODELS[object.kind], object.kind);
  // Each class wants its own kind, and which one this is only the file tells.
  new MODELS[object.kind](object as never).validate();
}
