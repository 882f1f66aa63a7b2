// A node-discover that prints `added NAME` for each other one that it finds. Arguments: its own name, the broadcast
// address. NODE_PATH says where the package is.
const discover = require('node-discover')

const [hostname, broadcast] = process.argv.slice(2)
const own = discover({ hostname, broadcast })
own.on('added', ({ hostName }) => console.log(`added ${hostName}`))
