// SPDX-License-Identifier: MIT OR Apache-2.0
// Uses the types that openapi-typescript has made. It is only compiled: each wrong name is an error.
import type { components, paths } from './v1'

type Face = components['schemas']['FaceLine']
type Found = paths['/v1/faces']['post']['responses'][200]['content']['application/json']
type Refusal = paths['/v1/faces']['post']['responses'][415]['content']['application/problem+json']
type Query = NonNullable<paths['/v1/faces']['post']['parameters']['query']>

const query: Query = { geometry: true, turn: 'auto', prior: 'natural' }
const face = (face: Face): [string | null, number, number | undefined] => [face.label, face.box.x, face.pose?.yaw]
const always: Face['type'] = 'face'
const change: components['schemas']['SwitchChange'] = { blur: true, threshold: null }

export async function find(address: string, body: Blob): Promise<[string | null, number, number | undefined][]> {
  const answer = await fetch(`${address}/v1/faces?turn=${query.turn}`, { method: 'POST', body })
  if (!answer.ok) throw new Error(((await answer.json()) as Refusal).detail)
  return ((await answer.json()) as Found).faces.map(face)
}

export const switches = (address: string, id: number) =>
  fetch(`${address}/v1/sources/${id}/switches`, { method: 'PATCH', body: JSON.stringify(change) }).then(() => always)
