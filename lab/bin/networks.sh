# Sourced by the programs beside it: by which network namespace a host of the lab is reached, and how to get in there.
namespace_of() {
  case $1 in
    203.0.113.*) echo kl-pub ;;
    10.1.0.*) echo kl-nat-client ;;
    10.2.0.*) echo kl-nat-server ;;
  esac
}

enter() { # NAMESPACE COMMAND …
  if [ ! -e "/run/netns/$1" ]; then
    echo "the lab is not up; bring it up with: make lab-up" >&2
    exit 255
  fi
  namespace=$1
  shift
  exec nsenter --net="/run/netns/$namespace" -- "$@"
}
