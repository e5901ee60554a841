// Owns: the frame of the console and which page is in it. May import: ui and its siblings.
import { Icon, type IconName, Logo } from '../ui/icons.tsx';
import { orToast, Toasts } from '../ui/toasts.tsx';
import { CallsPage } from './calls-page.tsx';
import { type Console, linkTo, type Route } from './console.ts';
import { KeysPage } from './keys-page.tsx';
import { NodesPage } from './nodes-page.tsx';
import { RoomPage } from './room-page.tsx';
import { RoomsPage } from './rooms-page.tsx';
import { ServerNotice } from './server-notice.tsx';
import { ServerPage } from './server-page.tsx';
import { SignInPage } from './sign-in-page.tsx';
import { AccountsPage } from './sip/accounts-page.tsx';
import { BansPage } from './sip/bans-page.tsx';
import { RulesPage } from './sip/rules-page.tsx';
import { TrunksPage } from './sip/trunks-page.tsx';

export function App({ app }: { app: Console }) {
  return (
    <>
      {app.stage.value === 'signed_in' ? <Frame app={app} /> : <SignInPage app={app} />}
      <Toasts />
    </>
  );
}

const entries = [
  { page: 'rooms', icon: 'rooms', words: 'Rooms' },
  { page: 'calls', icon: 'phone', words: 'Calls' },
  { page: 'trunks', icon: 'trunk', words: 'Trunks' },
  { page: 'accounts', icon: 'people', words: 'Phone accounts' },
  { page: 'rules', icon: 'rules', words: 'Dispatch rules' },
  { page: 'bans', icon: 'ban', words: 'Bans' },
  { page: 'keys', icon: 'key', words: 'API keys' },
  { page: 'nodes', icon: 'nodes', words: 'Nodes' },
  { page: 'server', icon: 'server', words: 'Server' },
] as const satisfies readonly { page: Route['page']; icon: IconName; words: string }[];

function Frame({ app }: { app: Console }) {
  const route = app.route.value;
  return (
    <div class="frame" data-testid="console">
      <nav class="side" aria-label="Console">
        <a class="brand" href={linkTo({ page: 'rooms' })}>
          <Logo /> <span>Switchyard</span>
        </a>
        {entries.map(({ page, icon, words }) => {
          const isHere = route.page === page || (page === 'rooms' && route.page === 'room');
          return (
            <a
              key={page}
              class={`side-link${isHere ? ' here' : ''}`}
              href={linkTo({ page })}
              title={words}
              aria-current={isHere ? 'page' : undefined}
              data-testid={`nav-${page}`}
            >
              <Icon name={icon} size={19} /> <span>{words}</span>
            </a>
          );
        })}
        <span class="spacer" />
        <a class="side-link" href="/docs" target="_blank" rel="noopener">
          <Icon name="external" size={19} /> <span>API docs</span>
        </a>
        <button type="button" class="side-link" data-testid="sign-out" onClick={() => orToast(app.signOut())}>
          <Icon name="door" size={19} /> <span>Sign out</span>
        </button>
      </nav>
      <main class="content">
        {route.page !== 'server' && route.page !== 'nodes' && <ServerNotice app={app} />}
        <CurrentPage app={app} route={route} />
      </main>
    </div>
  );
}

function CurrentPage({ app, route }: { app: Console; route: Route }) {
  switch (route.page) {
    case 'rooms':
      return <RoomsPage app={app} />;
    case 'room':
      return <RoomPage key={route.room} app={app} room={route.room} />;
    case 'calls':
      return <CallsPage app={app} />;
    case 'trunks':
      return <TrunksPage app={app} />;
    case 'accounts':
      return <AccountsPage app={app} />;
    case 'rules':
      return <RulesPage app={app} />;
    case 'bans':
      return <BansPage app={app} />;
    case 'keys':
      return <KeysPage app={app} />;
    case 'nodes':
      return <NodesPage app={app} />;
    case 'server':
      return <ServerPage app={app} />;
  }
}
