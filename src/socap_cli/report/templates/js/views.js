function curve(values,w,h){
var ns="http://www.w3.org/2000/svg",s=d.createElementNS(ns,"svg"),p=d.createElementNS(ns,"polyline");
var low=Math.min.apply(null,values),high=Math.max.apply(null,values);
p.setAttribute("points",values.map(function(v,n){return(n*w/(values.length-1)).toFixed(1)+","+(high===low?h/2:h-(v-low)/(high-low)*h).toFixed(1)}).join(" "));
s.setAttribute("viewBox","-1 -2 "+(w+2)+" "+(h+4));s.setAttribute("width",w);s.setAttribute("height",h);s.setAttribute("preserveAspectRatio","none");s.setAttribute("class","spark");s.setAttribute("aria-hidden","true");
s.appendChild(p);return s}
function facts(v){
var acts=Object.keys(v[1]).map(function(k){return number(v[1][k])+" "+k}).join(", ");
return[["Engagements",acts||"none"],["New in 24 h",v[2]>0?"+"+number(v[2]):number(v[2])],["People",number(v[3])+", "+number(v[4])+" only here"],v[5]!==null&&["Velocity",v[5].toFixed(1)+" an hour"],v[6]&&["Half of it within",v[6]],["Bookmarks",number(v[7])]].filter(Boolean)}
function fill(fold,id,v){
var box=el("div","view"),list=el("dl","facts"),p=el("p"),a=el("a","browse-link","its engagements");
if(v[0].length>1)box.appendChild(curve(v[0],240,48));
facts(v).forEach(function(f){var pair=el("div");pair.appendChild(el("dt","",f[0]));pair.appendChild(el("dd","",f[1]));list.appendChild(pair)});
a.href="#tweet="+id;a.appendChild(el("span","sr"," ("+id+")"));p.appendChild(a);
box.appendChild(list);box.appendChild(p);fold.appendChild(box)}
if(data)setTimeout(function(){[].forEach.call(d.querySelectorAll("#tweet-list tr[data-tweet]"),function(tr){
var id=tr.getAttribute("data-tweet"),v=data.views[id];
if(!v)return;
var fold=el("details","later"),s=el("summary","small","its figures");
s.appendChild(el("span","sr"," ("+id+")"));fold.appendChild(s);
fold.addEventListener("toggle",function(){if(fold.open&&fold.children.length===1)fill(fold,id,v)});
tr.cells[0].appendChild(fold)})},0);
