#!/usr/bin/env bash
# A Ray cluster of two hosts by hand, and a sweep on it. Run on the first host, which needs ssh to
# the second; both have the same Python, llr[ray] and Ray's token (~/.ray/auth_token).
#
#   SECOND=user@second-host bash two_hosts.sh config.yaml
set -euo pipefail

config=${1:-config.yaml}
second=${SECOND:?set SECOND=user@host of the second machine}
port=6379
here=$(hostname -I | awk '{print $1}')

export RAY_AUTH_MODE=token                # whoever reaches the ports must know the token
[ -f ~/.ray/auth_token ] || ray get-auth-token --generate > /dev/null
ssh "$second" 'mkdir -p ~/.ray && umask 077 && cat > ~/.ray/auth_token' < ~/.ray/auth_token

stop() { ray stop; ssh "$second" ray stop; }
trap stop EXIT

ray start --head --node-ip-address="$here" --port="$port" --include-dashboard=false
# shellcheck disable=SC2029  # the address is known on this side
ssh "$second" "RAY_AUTH_MODE=token ray start --address='$here:$port'"

# Stopped in any way, the same command goes on where it was.
llr sweep --config "$config" execution.executor=ray execution.address="$here:$port"
