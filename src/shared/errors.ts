import createError from '@fastify/error'

/**
 * The errors of the daemon, grouped by area. A message says what failed, with which value, and what to do. The codes are
 * stable; the messages may change. The third argument is the HTTP status of the errors that the API reports.
 */

// Start of the daemon
export const PortInUse = createError<[number, string]>(
  'EARSHOT_PORT_IN_USE',
  "cannot bind UDP port %d on %s: in use by another process (is earshotd running already? try 'earshot status'; another port: --port)",
)
export const HttpInUse = createError<[string]>(
  'EARSHOT_HTTP_IN_USE',
  "cannot listen on http://%s: in use by another process (is earshotd running already? try 'earshot status'; another address: --http 127.0.0.1:15354, none: --http off)",
)
export const HttpUnusable = createError<[string, string]>(
  'EARSHOT_HTTP_UNUSABLE',
  'cannot listen on http://%s: %s (another address: --http 127.0.0.1:15354, none: --http off)',
)
export const AlreadyRunning = createError<[string]>(
  'EARSHOT_ALREADY_RUNNING',
  "earshotd is already running on %s (see 'earshot status'; a second daemon needs --socket, --state-dir and --http of its own)",
)
export const SocketUnusable = createError<[string, string]>(
  'EARSHOT_SOCKET_UNUSABLE',
  'cannot listen on the control socket %s: %s (choose another with --socket)',
)
export const StateUnusable = createError<[string, string]>(
  'EARSHOT_STATE_UNUSABLE',
  'cannot use the state directory %s: %s (choose another with --state-dir)',
)
export const BadConfig = createError<[string]>('EARSHOT_BAD_CONFIG', '%s')

// Requests
export const NoSuchPeer = createError<[string]>(
  'EARSHOT_NO_SUCH_PEER',
  "no peer has the name '%s' or an id that begins with it (try 'earshot ls --all')",
  404,
)
export const AmbiguousPeer = createError<[string, string]>(
  'EARSHOT_AMBIGUOUS_PEER',
  "'%s' matches several peers: %s (give the id, or more of it)",
  409,
)
export const BadRequest = createError<[string]>('EARSHOT_BAD_REQUEST', '%s', 400)
export const NoSuchRoute = createError<[string, string]>(
  'EARSHOT_NO_SUCH_ROUTE',
  "there is no endpoint '%s %s' (GET /openapi.json describes all endpoints)",
  404,
)
export const MethodNotAllowed = createError<[string, string, string]>(
  'EARSHOT_METHOD_NOT_ALLOWED',
  "the method %s is not allowed at '%s' (allowed: %s)",
  405,
)
export const ForeignHost = createError<[string]>(
  'EARSHOT_FOREIGN_HOST',
  "this API accepts loopback addresses only, and the request has the Host '%s' (use http://127.0.0.1 or http://localhost)",
  403,
)
export const ForeignOrigin = createError<[string]>(
  'EARSHOT_FOREIGN_ORIGIN',
  "web pages of another origin ('%s') may not use this API",
  403,
)
export const TooManyReaders = createError<[number]>(
  'EARSHOT_TOO_MANY_READERS',
  'there are already %d event streams, which is the limit',
  503,
)
export const TooBusy = createError<[string]>(
  'EARSHOT_TOO_BUSY',
  'there are already %s, which is the limit (try again)',
  503,
)
export const TooManyQueries = createError<[number]>(
  'EARSHOT_TOO_MANY_QUERIES',
  'there are already %d blocking queries, which is the limit (/v1/events reports changes, too)',
  503,
)
export const NoAnswer = createError<[string, string]>(
  'EARSHOT_NO_ANSWER',
  "'%s' did not answer a probe within %s (try again; 'earshot show' shows when and where it was last heard)",
  504,
)
export const Stopping = createError<[]>('EARSHOT_STOPPING', 'earshotd is stopping (try again when it is running)', 503)
export const NotProbed = createError<[string]>(
  'EARSHOT_NOT_PROBED',
  "'%s' was found by mDNS only and sends no beacons, so it answers no probes ('earshot show' shows when it was last heard)",
  409,
)
export const NoSuchHost = createError<[string, string]>(
  'EARSHOT_NO_SUCH_HOST',
  "no mDNS host with the name '%s' answered within %s",
  404,
)
export const MdnsOff = createError<[]>(
  'EARSHOT_MDNS_OFF',
  'mDNS is turned off in this daemon (to turn it on, start earshotd without --no-mdns, EARSHOT_MDNS=false and mdns = false in its config file)',
  409,
)

// Changes
export const TokenNeeded = createError<[string, string]>(
  'EARSHOT_TOKEN_NEEDED',
  "changes over loopback need the header 'Authorization: Bearer TOKEN': the token of the running daemon is in %s (the socket %s needs no token)",
  401,
)
export const TokenUnusable = createError<[string, string]>(
  'EARSHOT_TOKEN_UNUSABLE',
  'cannot write the token for loopback to %s: %s (choose another directory with --socket, or no loopback with --http off)',
)
export const BodyTooLarge = createError<[number]>(
  'EARSHOT_BODY_TOO_LARGE',
  'the request body has more than %d bytes',
  413,
)
export const WrongContentType = createError<[string]>(
  'EARSHOT_WRONG_CONTENT_TYPE',
  "the header content-type must be application/json, not '%s' (curl: --json)",
  415,
)

// Services and attributes
export const BadService = createError<[string]>('EARSHOT_BAD_SERVICE', '%s', 400)
export const ServiceTaken = createError<[string, string]>(
  'EARSHOT_SERVICE_TAKEN',
  "service '%s' is set by %s (change it there, or use another id)",
  409,
)
export const ServiceHeld = createError<[string]>('EARSHOT_SERVICE_HELD', '%s', 412)
export const NoSuchService = createError<[string]>(
  'EARSHOT_NO_SUCH_SERVICE',
  "this peer has no service with the id '%s' ('earshot status' lists them)",
  404,
)
export const AttributeTaken = createError<[string]>(
  'EARSHOT_ATTRIBUTE_TAKEN',
  "attribute '%s' is set by the config file: remove it there (setting it here overrides it)",
  409,
)
export const NotKept = createError<[string, string]>(
  'EARSHOT_NOT_KEPT',
  'the change is in effect, but it is not saved, because %s cannot be written: %s (a restart of earshotd would undo the change; once the file can be written, it is saved within 5 seconds)',
  507,
)
export const RecordTooLarge = createError<[string]>(
  'EARSHOT_RECORD_TOO_LARGE',
  '%s (nothing was changed; use fewer or shorter services and attributes)',
  413,
)
