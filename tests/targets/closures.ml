(* SPDX-License-Identifier: Apache-2.0
   OCaml's native code: its own calling convention, exceptions that cut the stack, a collector that
   is called from anywhere.

   True stacks, those of the runtime and of the standard library left out: entry, nest 21 times,
   spin; entry, attempt, dive 11 times, spin, or what raises an exception; entry, lists, build up to
   201 times. *)
exception Surface of int

let sink = ref 0

let [@inline never] spin value rounds =
  let v = ref value in
  for _ = 1 to rounds do
    v := (!v * 1103515245) + 12345
  done;
  !v

let [@inline never] rec dive left =
  if left = 0 then raise (Surface (spin 1 3000))
  else 1 + try dive (left - 1) with Not_found -> 0

let [@inline never] attempt () = 1 + try dive 10 with Surface v -> v
let [@inline never] rec build n = if n = 0 then [] else string_of_int n :: build (n - 1)

let [@inline never] lists n =
  let l = List.sort compare (build n) in
  1 + List.fold_left (fun a s -> a + String.length s) 0 l

let [@inline never] rec nest n = if n = 0 then 1 + spin !sink 20000 else 1 + nest (n - 1)

let () =
  print_string "ready\n";
  flush stdout;
  while true do
    sink := !sink + attempt () + lists 200 + nest 20
  done
