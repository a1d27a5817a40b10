/** Registers an instance of a service of this machine in Consul, without a check. */
export async function registerService(
  consul: string,
  name: string,
  port: number,
  meta: Record<string, string> = {},
): Promise<void> {
  const answer = await fetch(`http://${consul}/v1/agent/service/register`, {
    method: "PUT",
    body: JSON.stringify({ ID: `${name}-${port}`, Name: name, Address: "127.0.0.1", Port: port, Meta: meta }),
  });
  if (!answer.ok) throw new Error(`Consul did not register ${name}: ${await answer.text()}`);
}
