// Owns: the settings of a FreeSWITCH that has the media of calls. May import: zod, its neighbours.
import { z } from 'zod';
import { port } from './values.ts';

export const sipFreeSwitch = z
  .strictObject({
    host: z.string().min(1).describe('FreeSWITCH: where its event socket (mod_event_socket) is.'),
    port: port.default(8021).describe('Of its event socket.'),
    password: z
      .string()
      .regex(/^[^\r\n]{1,256}$/, 'has no line breaks')
      .describe('Of its event socket.'),
    profile: z
      .string()
      .regex(/^[\w.-]{1,64}$/, 'has letters, digits and . - _ only')
      .default('drachtio_mrf')
      .describe('Its SIP profile that takes calls from here.'),
    listenHost: z.string().default('127.0.0.1').describe('Address here that FreeSWITCH connects to for each channel.'),
    listenPort: port.default(0).describe('Port of it; 0 picks a free one.'),
    announcedHost: z.string().optional().describe('What it is told to connect to, where that is not `listenHost`.'),
    networks: z
      .array(z.string())
      .default([])
      .describe('Networks (CIDR) that it may connect from besides its own address.'),
    codecs: z
      .array(z.enum(['opus', 'g722', 'pcmu', 'pcma']))
      .min(1)
      .default(['g722', 'pcmu'])
      .describe('Codecs between it and here, the best first.'),
  })
  .optional()
  .describe('A FreeSWITCH for the media of calls (sip.media, media.server of a trunk): docs/protocols/freeswitch.md.');
