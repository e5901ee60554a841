// Owns: the icons of both pages, drawn on a grid of 24. May import: nothing.

/** Stroked paths; `class` colours them by `currentColor`. */
const paths = {
  mic: 'M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3ZM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3M9 21h6',
  micOff:
    'M4 3.5l16 17M9 9.2V12a3 3 0 0 0 4.6 2.5M15 12V6a3 3 0 0 0-5.7-1.3M5.5 11.5a6.5 6.5 0 0 0 10 5.4M18.5 11.5c0 1-.2 2-.7 2.9M12 18v3M9 21h6',
  camera:
    'M4.5 6.5h9a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2ZM15.5 10.8l4.4-2.6a.6.6 0 0 1 .9.5v6.6a.6.6 0 0 1-.9.5l-4.4-2.6',
  cameraOff:
    'M3.5 3.5l17 17M10 6.5h3.5a2 2 0 0 1 2 2V12M15.4 15.6a2 2 0 0 1-1.9 1.9h-9a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2H6M15.5 10.8l4.4-2.6a.6.6 0 0 1 .9.5v6.6a.6.6 0 0 1-.9.5l-1.7-1',
  screen:
    'M4 5h16a1.5 1.5 0 0 1 1.5 1.5v9A1.5 1.5 0 0 1 20 17H4a1.5 1.5 0 0 1-1.5-1.5v-9A1.5 1.5 0 0 1 4 5ZM9 20.5h6M12 14V8M9.2 10.6 12 7.8l2.8 2.8',
  screenStop:
    'M4 5h16a1.5 1.5 0 0 1 1.5 1.5v9A1.5 1.5 0 0 1 20 17H4a1.5 1.5 0 0 1-1.5-1.5v-9A1.5 1.5 0 0 1 4 5ZM9 20.5h6M9.7 8.7l4.6 4.6M14.3 8.7l-4.6 4.6',
  hand: 'M8 12.5V6.2a1.4 1.4 0 0 1 2.8 0v4.6M10.8 10.5V4.4a1.4 1.4 0 0 1 2.8 0v6M13.6 10.6V5.6a1.4 1.4 0 0 1 2.8 0v7M16.4 12.2V8.4a1.4 1.4 0 0 1 2.8 0v6.3c0 4-2.6 6.8-6.4 6.8-2.8 0-4.4-1-5.9-3.3L4.2 13.8a1.4 1.4 0 0 1 2.3-1.6L8 14',
  chat: 'M4.5 4.5h15A1.5 1.5 0 0 1 21 6v10a1.5 1.5 0 0 1-1.5 1.5H11L6.5 21v-3.5h-2A1.5 1.5 0 0 1 3 16V6a1.5 1.5 0 0 1 1.5-1.5ZM7.5 9.2h9M7.5 12.8h6',
  people:
    'M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c0-3.3 2.9-5.5 6.5-5.5s6.5 2.2 6.5 5.5M15.8 4.9a3.3 3.3 0 0 1 0 6.2M18 15.2c2.1.8 3.5 2.5 3.5 4.8',
  grid: 'M4.5 4.5h6v6h-6zM13.5 4.5h6v6h-6zM4.5 13.5h6v6h-6zM13.5 13.5h6v6h-6z',
  spotlight: 'M3.5 5h17v9.5h-17zM3.5 18.5h4M10 18.5h4M16.5 18.5h4',
  leave:
    'M3 14.2c0-3.4 4-5.7 9-5.7s9 2.3 9 5.7v1.6a1 1 0 0 1-1.3 1l-3.4-1a1 1 0 0 1-.7-1v-2a12 12 0 0 0-7.2 0v2a1 1 0 0 1-.7 1l-3.4 1a1 1 0 0 1-1.3-1z',
  pin: 'M9 3.5h6l-.6 6.2 3.1 2.8v2h-11v-2l3.1-2.8zM12 14.5V21',
  more: 'M5.5 12h.01M12 12h.01M18.5 12h.01',
  chevronUp: 'M6 15l6-6 6 6',
  chevronDown: 'M6 9l6 6 6-6',
  chevronLeft: 'M15 5l-7 7 7 7',
  chevronRight: 'M9 5l7 7-7 7',
  close: 'M6 6l12 12M18 6 6 18',
  check: 'M5 12.5l4.5 4.5L19 7',
  send: 'M4 12 20 4l-4.5 16-4-6.5zM11.5 13.5 20 4',
  speaker: 'M4 9.5v5h3.5l5 4v-13l-5 4zM16 9a4.2 4.2 0 0 1 0 6M18.5 6.5a7.8 7.8 0 0 1 0 11',
  phone:
    'M6.5 3.5h3l1.6 4.2-2.2 1.6a11.5 11.5 0 0 0 5.8 5.8l1.6-2.2 4.2 1.6v3a2 2 0 0 1-2.2 2A17 17 0 0 1 4.5 5.7a2 2 0 0 1 2-2.2Z',
  cctv: 'M3.5 8.5 16 4l2.5 6L6 14.5zM9.5 13.2 11 17H4.5v-4M18.5 10l2-.7-1.2-3-2 .7',
  robot:
    'M6 9.5h12a1.5 1.5 0 0 1 1.5 1.5v7a1.5 1.5 0 0 1-1.5 1.5H6A1.5 1.5 0 0 1 4.5 18v-7A1.5 1.5 0 0 1 6 9.5ZM12 9.5V5M12 5h.01M9 14h.01M15 14h.01',
  settings: 'M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4M4 12h2M10 12h10M8 10v4',
  help: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM9.4 9.4a2.7 2.7 0 1 1 3.7 2.5c-.8.3-1.1.8-1.1 1.6M12 16.8h.01',
  link: 'M10 14a4 4 0 0 0 5.7 0l3.1-3.1a4 4 0 0 0-5.7-5.7l-1.3 1.3M14 10a4 4 0 0 0-5.7 0l-3.1 3.1a4 4 0 0 0 5.7 5.7l1.3-1.3',
  copy: 'M9 9h9.5A1.5 1.5 0 0 1 20 10.500V19a1.5 1.5 0 0 1-1.5 1.500H10A1.5 1.5 0 0 1 8.5 19V9.500ZM5.5 15.500h-.500A1.5 1.5 0 0 1 3.5 14V5A1.5 1.5 0 0 1 5 3.500h9A1.5 1.5 0 0 1 15.5 5v.500',
  warning: 'M12 4 2.8 19.500h18.400zM12 10v4.500M12 17.200h.01',
  record: 'M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z',
  stop: 'M6.5 6.5h11v11h-11z',
  play: 'M8 5.500v13l10.500-6.500z',
  pause: 'M9 6v12M15 6v12',
  trash: 'M4.5 7h15M9.5 7V4.500h5V7M6.5 7l1 13h9l1-13M10.5 11v5.500M13.5 11v5.5',
  edit: 'M4.5 19.500l.8-4L16 4.800a1.8 1.8 0 0 1 2.6 0l.6.6a1.8 1.8 0 0 1 0 2.600L8.5 18.700zM14.5 6.500l3 3',
  plus: 'M12 5v14M5 12h14',
  door: 'M13.5 4.500h-8v15h8M10 12h10.500M17 8.500l3.5 3.5-3.5 3.5',
  lock: 'M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3M12 14.500v2',
  key: 'M8 15.500a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 11.500h9M18 11.500v3.500M21 11.500v2.5',
  server: 'M4.5 4.500h15v6h-15zM4.5 13.500h15v6h-15zM8 7.500h.01M8 16.500h.01',
  nodes:
    'M12 8.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM5.500 21.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM18.500 21.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM10.500 8 7 15.800M13.500 8 17 15.800M8.500 18.500h7',
  rooms: 'M4.5 20.500v-15L14 3.500v17M14 6.500h5.500v14M2.5 20.500h19M10.5 12h.01',
  external: 'M13.5 4.500h6v6M19.5 4.5 11 13M10 5.500H5.500v13h13V14',
  trunk: 'M5 12a7 7 0 0 1 14 0M8.500 12a3.500 3.500 0 0 1 7 0M12 12v8.500M8 20.500h8',
  ban: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM5.700 5.700l12.600 12.6',
  rules: 'M6.500 4v10a4 4 0 0 0 4 4H18M14.500 14.500 18 18l-3.500 3.500M6.500 9h11.500M14.500 5.500 18 9l-3.500 3.5',
  flip: 'M4.5 12a7.5 7.5 0 0 1 12.9-5.200L20 9.500M20 4.500v5h-5M19.5 12a7.5 7.5 0 0 1-12.9 5.200L4 14.500M4 19.500v-5h5',
} as const;

export type IconName = keyof typeof paths;

/** Decoration: whatever it stands in carries the words. */
export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  const weight = name === 'more' ? 3 : 1.7;
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={weight}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={paths[name]} />
    </svg>
  );
}

export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#3b7dff" />
      <path
        d="M6 11h8.5L20 21h6M6 21h4.5m9-10H26"
        fill="none"
        stroke="#fff"
        stroke-width="2.6"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
      <circle cx="26" cy="11" r="2.4" fill="#fff" />
      <circle cx="26" cy="21" r="2.4" fill="#fff" />
    </svg>
  );
}
